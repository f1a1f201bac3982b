use std::{collections::BTreeMap, time::Duration};

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;

/// What a message of the server says of tasks.
#[derive(Debug)]
pub(crate) enum Said {
    /// Nothing.
    Nothing,
    /// A task was begun.
    Begun(Begun),
    /// Here are some.
    Listed(Listed),
    /// Something that can't be read for certain.
    Unclear,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Begun {
    pub(crate) id: String,
    /// How long it says that it lives; `None` if it names no end.
    pub(crate) life: Option<Duration>,
}

/// A list, member by member as it was sent.
#[derive(Debug)]
pub(crate) struct Listed {
    message: Members,
    result: Members,
    tasks: Vec<Box<RawValue>>,
    /// Their ids, in order; empty of one that has none.
    pub(crate) ids: Vec<String>,
}

type Members = BTreeMap<Box<str>, Box<RawValue>>;

/// As each message begins that is read at all.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

/// Of the result of a call: revision 2025-11-25 has the task in a member, the extension of
/// 2026-07-28 in the result itself.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CallResult<'a> {
    #[serde(borrow)]
    result_type: Option<&'a RawValue>,
    #[serde(borrow)]
    task: Option<&'a RawValue>,
    #[serde(borrow)]
    task_id: Option<&'a RawValue>,
    #[serde(borrow)]
    ttl_ms: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Task<'a> {
    #[serde(borrow)]
    task_id: Option<&'a RawValue>,
    #[serde(borrow)]
    ttl: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ListedTask {
    task_id: String,
}

/// Whether a message can name a task. Servers write ASCII as it is; of one that does not, no task is
/// learned, and none of them opens.
pub(crate) fn names_a_task(message: &[u8]) -> bool {
    memmem::find(message, TASK_ID).is_some()
}

pub(crate) const TASK_ID: &[u8] = b"\"taskId\"";

/// What the answer to a call says.
pub(crate) fn of_call(message: &[u8]) -> Said {
    let Some(result) = result(message) else {
        return Said::Nothing;
    };
    let Ok(result) = serde_json::from_str::<CallResult<'_>>(result.get()) else {
        return unclear_if_object(result);
    };
    let kind = result.result_type.and_then(text);
    let (id, life) = match (result.task, result.task_id) {
        (Some(task), None) => match serde_json::from_str::<Task<'_>>(task.get()) {
            Ok(Task { task_id: None, .. }) => return Said::Nothing,
            Ok(Task { task_id, ttl }) => (task_id, ttl),
            Err(_) => return unclear_if_object(task),
        },
        (None, Some(id)) if kind.as_deref() == Some("task") => (Some(id), result.ttl_ms),
        // A task in the shapes of both revisions.
        (Some(_), Some(_)) => return Said::Unclear,
        _ => return Said::Nothing,
    };
    match id.and_then(text) {
        Some(id) => Said::Begun(Begun {
            id,
            life: life.and_then(millis),
        }),
        None => Said::Unclear,
    }
}

/// Of what has members, and can't be read for one that is repeated.
fn unclear_if_object(value: &RawValue) -> Said {
    match value.get().starts_with('{') {
        true => Said::Unclear,
        false => Said::Nothing,
    }
}

fn text(value: &RawValue) -> Option<String> {
    serde_json::from_str(value.get()).ok()
}

/// A time however it is written; none if it is no end. Then the task is remembered for as long as any.
fn millis(value: &RawValue) -> Option<Duration> {
    let millis: f64 = serde_json::from_str(value.get()).ok()?;
    Duration::try_from_secs_f64(millis / 1000.0).ok()
}

/// What the answer to `tasks/list` says.
pub(crate) fn of_list(message: &[u8]) -> Said {
    match listed(message) {
        Some(listed) => Said::Listed(listed),
        // What the server tells or asks on the way.
        None if has_no_result(message) => Said::Nothing,
        None if names_a_task(message) => Said::Unclear,
        None => Said::Nothing,
    }
}

/// What any message says: on a stream that goes on with an earlier one, both come up.
pub(crate) fn of_any(message: &[u8]) -> Said {
    match listed(message) {
        Some(listed) => Said::Listed(listed),
        None => of_call(message),
    }
}

/// What a message says that begins no task.
pub(crate) fn of_other(message: &[u8]) -> Said {
    listed(message).map_or(Said::Nothing, Said::Listed)
}

fn result(message: &[u8]) -> Option<&RawValue> {
    serde_json::from_slice::<Head<'_>>(message).ok()?.result
}

fn has_no_result(message: &[u8]) -> bool {
    let message: Option<Members> = serde_json::from_slice(message).ok();
    message.is_some_and(|message| !message.contains_key("result"))
}

fn listed(message: &[u8]) -> Option<Listed> {
    let message: Members = serde_json::from_slice(message).ok()?;
    let result: Members = serde_json::from_str(message.get("result")?.get()).ok()?;
    let tasks: Vec<Box<RawValue>> = serde_json::from_str(result.get("tasks")?.get()).ok()?;
    let id = |task: &RawValue| {
        let task: Option<ListedTask> = serde_json::from_str(task.get()).ok();
        task.map_or_else(String::new, |task| task.task_id)
    };
    let ids = tasks.iter().map(|task| id(task)).collect();
    Some(Listed {
        message,
        result,
        tasks,
        ids,
    })
}

impl Listed {
    /// The message with those tasks only that are the caller's; all else as it was sent.
    pub(crate) fn filtered(mut self, owned: &[bool]) -> Option<Vec<u8>> {
        let mut owned = owned.iter().chain(std::iter::repeat(&false));
        self.tasks.retain(|_| owned.next() == Some(&true));
        let tasks = serde_json::value::to_raw_value(&self.tasks).ok()?;
        self.result.insert("tasks".into(), tasks);
        let result = serde_json::value::to_raw_value(&self.result).ok()?;
        self.message.insert("result".into(), result);
        serde_json::to_vec(&self.message).ok()
    }
}

/// The id of the request that a message answers, as JSON text.
pub(crate) fn id(message: &[u8]) -> Option<Box<RawValue>> {
    let message: Members = serde_json::from_slice(message).ok()?;
    message.get("id").cloned()
}

/// The tasks that a subscription names.
pub(crate) fn subscribed(params: &str) -> Option<Vec<String>> {
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Params {
        task_ids: Vec<String>,
        notifications: Filter,
    }
    #[derive(Deserialize, Default)]
    #[serde(rename_all = "camelCase", default)]
    struct Filter {
        task_ids: Vec<String>,
    }
    let params: Params = serde_json::from_str(params).ok()?;
    Some([params.task_ids, params.notifications.task_ids].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn begun(message: &str) -> Option<(String, Option<u64>)> {
        match of_call(message.as_bytes()) {
            Said::Begun(begun) => Some((begun.id, begun.life.map(|l| l.as_millis() as u64))),
            _ => None,
        }
    }

    #[test]
    fn a_task_is_found_in_the_shapes_of_both_revisions() {
        for (message, expected) in [
            (
                r#"{"jsonrpc":"2.0","id":1,"result":{"task":{"taskId":"t","status":"working","ttl":60000}}}"#,
                Some(Some(60_000)),
            ),
            (
                r#"{"id":1,"result":{"task":{"taskId":"t","ttl":null},"_meta":{"x":1e400}}}"#,
                Some(None),
            ),
            (
                r#"{"id":1,"result":{"resultType":"task","taskId":"t","ttlMs":5,"status":"working"}}"#,
                Some(Some(5)),
            ),
            (
                r#"{"id":1,"result":{"resultType":"task","taskId":"t","ttlMs":60000.0}}"#,
                Some(Some(60_000)),
            ),
            (
                r#"{"id":1,"result":{"task":{"taskId":"t","ttl":6e4}}}"#,
                Some(Some(60_000)),
            ),
            (
                r#"{"id":1,"result":{"task":{"taskId":"t","ttl":-1}}}"#,
                Some(None),
            ),
            (
                r#"{"id":1,"result":{"task":{"taskId":"t","ttl":1e400}}}"#,
                Some(None),
            ),
            (
                r#"{"id":1,"result":{"task":{"taskId":"t","ttl":"1 h"}}}"#,
                Some(None),
            ),
            (
                r#"{"id":1,"result":{"resultType":"complete","taskId":"t"}}"#,
                None,
            ),
            (r#"{"id":1,"result":{"taskId":"t"}}"#, None),
            (r#"{"id":1,"result":{"content":[{"taskId":"t"}]}}"#, None),
            (r#"{"id":1,"error":{"task":{"taskId":"t"}}}"#, None),
            (r#"{"id":1,"result":{"task":{"taskId":7}}}"#, None),
            (
                r#"{"id":1,"result":{"task":{"taskId":"t","taskId":"u"}}}"#,
                None,
            ),
            (r#"[{"id":1,"result":{"task":{"taskId":"t"}}}]"#, None),
            ("", None),
        ] {
            let found = begun(message);
            assert_eq!(found.as_ref().map(|(_, life)| *life), expected, "{message}");
            assert!(found.is_none_or(|(id, _)| id == "t"));
        }
    }

    #[test]
    fn a_task_whose_id_cannot_be_read_is_unclear_and_what_begins_none_is_not() {
        for (result, is_unclear) in [
            (r#"{"task":{"taskId":7}}"#, true),
            (r#"{"task":{"taskId":"t","taskId":"u"}}"#, true),
            (r#"{"task":{"taskId":"t"},"task":{"taskId":"u"}}"#, true),
            (r#"{"task":{"taskId":"t"},"taskId":"u"}"#, true),
            (r#"{"resultType":"task","taskId":["t"]}"#, true),
            (r#"{"resultType":"complete","taskId":7}"#, false),
            (r#"{"task":"taskId"}"#, false),
            (r#"{"task":{"_meta":{"taskId":7}}}"#, false),
            (r#"{"structuredContent":{"taskId":7}}"#, false),
            (r#"[{"taskId":"t"}]"#, false),
        ] {
            let message = format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let said = of_call(message.as_bytes());
            assert_eq!(
                matches!(said, Said::Unclear),
                is_unclear,
                "{result}: {said:?}"
            );
            assert!(
                is_unclear || matches!(said, Said::Nothing),
                "{result}: {said:?}"
            );
        }
    }

    #[test]
    fn a_list_keeps_its_owners_tasks_and_all_else_as_it_was() {
        let message = r#"{"id":1,"jsonrpc":"2.0","result":{"_meta":{"x":1e400},"nextCursor":"n","tasks":[{"taskId":"a","n":1.0},{"taskId":"b"},{"x":0},{"taskId":"c"}]}}"#;
        let Said::Listed(listed) = of_list(message.as_bytes()) else {
            panic!("it is a list");
        };
        assert_eq!(listed.ids, ["a", "b", "", "c"]);
        let kept = listed.filtered(&[true, false, false]).unwrap();
        let expected = message.replace(r#",{"taskId":"b"},{"x":0},{"taskId":"c"}"#, "");
        assert_eq!(String::from_utf8(kept).unwrap(), expected);
    }

    #[test]
    fn a_list_that_cannot_be_read_is_unclear_unless_it_names_no_task() {
        let said = |text: &str| of_list(text.as_bytes());
        assert!(matches!(
            said(r#"{"result":{"tasks":{"a":{"taskId":"t"}}}}"#),
            Said::Unclear
        ));
        for broken in [r#"{"result":{"taskId":"t"}"#, r#"[{"taskId":"t"}]"#] {
            assert!(matches!(said(broken), Said::Unclear), "{broken}");
        }
        for other in [
            r#"{"error":{"code":-32601}}"#,
            r#"{"method":"notifications/tasks/status","params":{"taskId":"t"}}"#,
        ] {
            assert!(matches!(said(other), Said::Nothing), "{other}");
        }
        assert!(matches!(
            said(r#"{"result":{"tasks":[]}}"#),
            Said::Listed(_)
        ));
    }

    #[test]
    fn a_subscription_names_its_tasks_in_either_place_or_is_unreadable() {
        let read = |text| subscribed(text);
        assert_eq!(read("{}").unwrap().len(), 0);
        assert_eq!(
            read(r#"{"taskIds":["a"],"notifications":{"taskIds":["b"],"x":1}}"#).unwrap(),
            ["a", "b"]
        );
        assert!(read(r#"{"notifications":{"taskIds":[1]}}"#).is_none());
        assert!(read(r#"{"notifications":{"taskIds":"a"}}"#).is_none());
    }
}
