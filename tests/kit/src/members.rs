use serde_json::Value;

/// A JSON object as text, so that it can hold what no map holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Members {
    list: Vec<(String, String)>,
    pub(crate) whole: Option<String>,
}

impl Members {
    pub(crate) fn set(&mut self, name: &str, value: String) {
        match self.list.iter_mut().find(|(n, _)| n == name) {
            Some(member) => member.1 = value,
            None => self.add(name, value),
        }
    }

    pub(crate) fn add(&mut self, name: &str, value: String) {
        self.list.push((name.to_owned(), value));
    }

    pub(crate) fn remove(&mut self, name: &str) {
        self.list.retain(|(n, _)| n != name);
    }

    pub(crate) fn text(&self) -> String {
        if let Some(whole) = &self.whole {
            return whole.clone();
        }
        let members: Vec<_> = self
            .list
            .iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name.as_str())))
            .collect();
        format!("{{{}}}", members.join(","))
    }
}
