use bartizan_core::{
    Call,
    call::{Broken, Tokens, is_alike},
};

/// The resources that a `subscriptions/listen` asks to be told about (N-19). To listen to one is
/// what `resources/subscribe` was in earlier revisions, so rules judge it as that.
pub(crate) fn of(call: &Call) -> Result<Vec<String>, &'static str> {
    if call.method() != "subscriptions/listen" {
        return Ok(Vec::new());
    }
    call.params().map_or_else(|| Ok(Vec::new()), read)
}

/// Most resources that one stream may listen to.
const MOST_WATCHED: usize = 256;

fn read(params: &str) -> Result<Vec<String>, &'static str> {
    let mut json = Tokens::of(params);
    let mut watched = Vec::new();
    // The call was read strictly before: it is JSON, and no member is there twice.
    members(&mut json, "notifications", |json| {
        members(json, "resourceSubscriptions", |json| {
            json.array(|json| {
                if json.peek() != Some(b'"') {
                    return Err(Unreadable);
                }
                json.string(|uri| {
                    if watched.len() <= MOST_WATCHED {
                        watched.push(uri.to_owned());
                    }
                })?;
                Ok(())
            })
        })
    })
    .map_err(|Unreadable| "has subscriptions that cannot be read")?;
    if watched.len() > MOST_WATCHED {
        return Err("listens to more than 256 resources");
    }
    Ok(watched)
}

struct Unreadable;

impl From<Broken> for Unreadable {
    fn from(_: Broken) -> Self {
        Self
    }
}

/// Reads every member of this name, and what parsers that ignore case take for it; skips others.
fn members<'j>(
    json: &mut Tokens<'j>,
    wanted: &str,
    mut read: impl FnMut(&mut Tokens<'j>) -> Result<(), Unreadable>,
) -> Result<(), Unreadable> {
    json.object(
        |key| is_alike(key, wanted),
        |json, is_wanted| match is_wanted {
            true => read(json),
            false => Ok(json.skip()?),
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn n_19_what_is_listened_to_is_read_out_of_the_params() {
        for (params, expected) in [
            (r#"{}"#, &[][..]),
            (r#"{"notifications":{"toolsListChanged":true}}"#, &[]),
            (r#"{"notifications":{"resourceSubscriptions":[]}}"#, &[]),
            (
                r#"{"_meta":{"x":[1e400,{}]},"notifications":{"a":[[]],"resourceSubscriptions":
                    ["file:///a","\u0066ile:///b"],"z":null}}"#,
                &["file:///a", "file:///b"],
            ),
            (
                r#"{"Notifications":{"RESOURCESubscriptions":["x:a"],"re\u017fourceSubscriptions":["x:b"]}}"#,
                &["x:a", "x:b"],
            ),
        ] {
            assert_eq!(read(params).unwrap(), expected, "{params}");
        }
    }

    #[test]
    fn what_cannot_be_read_as_uris_is_an_error() {
        for params in [
            r#"{"notifications":[]}"#,
            r#"{"notifications":{"resourceSubscriptions":"file:///a"}}"#,
            r#"{"notifications":{"resourceSubscriptions":[1]}}"#,
            r#"{"notifications":{"resourceSubscriptions":["x:a",["x:b"]]}}"#,
            r#"{"notifications":{"resourceSubscriptions":{"0":"x:a"}}}"#,
        ] {
            assert!(read(params).is_err(), "{params}");
        }
        let many = vec!["x:a"; MOST_WATCHED + 1];
        let many = format!(r#"{{"notifications":{{"resourceSubscriptions":{many:?}}}}}"#);
        assert!(read(&many).unwrap_err().contains("256"));
    }
}
