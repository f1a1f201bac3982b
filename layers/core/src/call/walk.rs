use super::scan::{Broken, Tokens};

/// Objects and arrays as a whole. Whether a member is there twice is for the caller to see.
impl<'j> Tokens<'j> {
    /// Takes the object that comes next. What `key` makes of each member's name goes to `take`, which takes the value.
    ///
    /// ```
    /// use bartizan_core::call::{Broken, Tokens};
    ///
    /// let mut found = None;
    /// let mut tokens = Tokens::of(r#"{"a": [1], "b": {"a": 2}}"#);
    /// tokens.object(|name| name == "b", |tokens, is_b| {
    ///     let value = tokens.value()?;
    ///     if is_b {
    ///         found = Some(value);
    ///     }
    ///     Ok::<_, Broken>(())
    /// })?;
    /// tokens.end()?;
    /// assert_eq!(found, Some(r#"{"a": 2}"#));
    /// # Ok::<_, Broken>(())
    /// ```
    ///
    /// # Errors
    ///
    /// If it is no object, or one of `take`'s.
    #[inline]
    pub fn object<T, E: From<Broken>>(
        &mut self,
        mut key: impl FnMut(&str) -> T,
        mut take: impl FnMut(&mut Self, T) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'{')?;
        if self.takes(b'}') {
            return Ok(());
        }
        loop {
            if self.peek() != Some(b'"') {
                return Err(Broken.into());
            }
            let name = self.string(&mut key)?;
            self.expect(b':')?;
            take(self, name)?;
            if self.takes(b'}') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Takes the array that comes next. `take` takes each element, at whose first byte the tokens stand.
    ///
    /// # Errors
    ///
    /// If it is no array, or one of `take`'s.
    #[inline]
    pub fn array<E: From<Broken>>(
        &mut self,
        mut take: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(b'[')?;
        if self.takes(b']') {
            return Ok(());
        }
        loop {
            self.peek();
            take(self)?;
            if self.takes(b']') {
                return Ok(());
            }
            self.expect(b',')?;
        }
    }

    /// Takes a value, whatever it is: its text, without white space around it.
    ///
    /// # Errors
    ///
    /// As of [`skip`](Self::skip).
    #[inline]
    pub fn value(&mut self) -> Result<&'j str, Broken> {
        self.peek();
        let start = self.position();
        self.skip()?;
        self.text.get(start..self.position()).ok_or(Broken)
    }

    /// Takes what is left, which is white space.
    ///
    /// # Errors
    ///
    /// If it is something else.
    #[inline]
    pub fn end(&mut self) -> Result<(), Broken> {
        match self.peek() {
            None => Ok(()),
            Some(_) => Err(Broken),
        }
    }

    /// Takes a token of one byte.
    ///
    /// # Errors
    ///
    /// If it is another.
    #[inline]
    pub fn expect(&mut self, token: u8) -> Result<(), Broken> {
        match self.takes(token) {
            true => Ok(()),
            false => Err(Broken),
        }
    }

    #[inline]
    fn takes(&mut self, token: u8) -> bool {
        let is_it = self.peek() == Some(token);
        if is_it {
            self.punctuation();
        }
        is_it
    }
}

/// A text as parsers that ignore case compare it.
pub fn folded(text: &str) -> impl Iterator<Item = char> {
    let upper = text.chars().flat_map(char::to_uppercase);
    upper.flat_map(char::to_lowercase)
}

/// Whether a parser that ignores case takes a member of this name for one of that: they are the same but for case, in
/// the folding of any alphabet.
pub fn is_alike(key: &str, name: &str) -> bool {
    if key.is_ascii() && name.is_ascii() {
        return key.eq_ignore_ascii_case(name);
    }
    folded(key).eq(folded(name))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    /// The names of an object's members and the text of their values.
    fn members(text: &str) -> Result<Vec<(String, &str)>, Broken> {
        let (mut tokens, mut found) = (Tokens::of(text), Vec::new());
        tokens.object(str::to_owned, |tokens, name| {
            found.push((name, tokens.value()?));
            Ok::<_, Broken>(())
        })?;
        tokens.end()?;
        Ok(found)
    }

    fn elements(text: &str) -> Result<Vec<&str>, Broken> {
        let (mut tokens, mut found) = (Tokens::of(text), Vec::new());
        tokens.array(|tokens| {
            found.push(tokens.value()?);
            Ok::<_, Broken>(())
        })?;
        tokens.end()?;
        Ok(found)
    }

    #[test]
    fn members_are_found_as_they_stand_there() {
        let text = r#" { "a" : [ 1e400 ] , "\u0061":"x" } "#;
        let expected = [("a".to_owned(), "[ 1e400 ]"), ("a".to_owned(), "\"x\"")];
        assert_eq!(members(text).unwrap(), expected);
        assert_eq!(members("{}"), Ok(Vec::new()));
        assert_eq!(elements(" [ 1 ,{\"a\":2}] "), Ok(vec!["1", "{\"a\":2}"]));
    }

    #[test]
    fn what_differs_only_in_case_is_alike() {
        for (key, name) in [("Tools", "tools"), ("tool\u{17f}", "tools"), ("ÄB", "äb")] {
            assert!(is_alike(key, name), "{key}");
        }
        assert!(!is_alike("toolsé", "tools") && !is_alike("tool", "tools"));
    }

    proptest! {
        #[test]
        fn what_is_walked_is_what_serde_json_reads(
            pieces in prop::collection::vec(r#"[\[\]{},:]|"[a\\\\n]{0,2}"|"[a-c]":|[0-9]{1,2}|true| "#, 0..10),
        ) {
            for text in [pieces.concat(), format!("[{}]", pieces.concat()), format!("{{{}}}", pieces.concat())] {
                let read = serde_json::from_str::<Value>(&text).ok();
                let object = read.as_ref().is_some_and(Value::is_object);
                prop_assert_eq!(members(&text).is_ok(), object, "{}", text);
                let array = read.as_ref().and_then(Value::as_array);
                prop_assert_eq!(elements(&text).ok().map(|it| it.len()), array.map(Vec::len), "{}", text);
            }
        }
    }
}
