use bartizan_core::Secret;
use bartizan_sensitive::{Kind, Kinds, Masked, Names, Pseudonyms, Redactor};
use proptest::prelude::*;
use serde_json::Value;

fn redact(redactor: &Redactor, json: &str) -> (String, Masked) {
    let mut out = Vec::new();
    let masked = redactor.redact(json.as_bytes(), &mut out);
    (String::from_utf8(out).unwrap(), masked)
}

fn redacted(json: &str) -> String {
    redact(&Redactor::new(), json).0
}

#[test]
fn a_sensitive_member_is_masked_whole_whatever_it_is_and_wherever() {
    for (json, expected) in [
        (r#"{"password":"hunter2"}"#, r#"{"password":"***(field)"}"#),
        (
            r#"{"a":[{"API-Key":17}]}"#,
            r#"{"a":[{"API-Key":"***(field)"}]}"#,
        ),
        (
            r#"{"secret":{"a":["x",{"b":"y"}]},"c":1}"#,
            r#"{"secret":"***(field)","c":1}"#,
        ),
        (
            r#"{"token":null,"ssn":true}"#,
            r#"{"token":"***(field)","ssn":"***(field)"}"#,
        ),
        (
            r#"{"pass\u0077ord":"hunter2"}"#,
            r#"{"password":"***(field)"}"#,
        ),
        (
            r#"{"a":{"b":{}},"c":[[],[1,2]],"d":-1.5e3}"#,
            r#"{"a":{"b":{}},"c":[[],[1,2]],"d":-1.5e3}"#,
        ),
        ("[true, false , null]", "[true,false,null]"),
        ("\"é\\n\u{2028}\"", r#""\u00e9\n\u2028""#),
        ("17", "17"),
    ] {
        assert_eq!(redacted(json), expected);
    }
}

#[test]
fn values_are_masked_in_text_in_numbers_and_in_names() {
    for (json, expected) in [
        (r#"{"a":"ann@example.com"}"#, r#"{"a":"a***n@example.com"}"#),
        (
            r#"{"a":4111111111111111,"b":1764230587123}"#,
            r#"{"a":"***(card)","b":1764230587123}"#,
        ),
        (r#"{"ann@example.com":1}"#, r#"{"a***n@example.com":1}"#),
        (
            r#"["\u0061nn\u0040example.com"]"#,
            r#"["a***n@example.com"]"#,
        ),
    ] {
        assert_eq!(redacted(json), expected);
    }
}

#[test]
fn json_in_text_is_redacted_as_json() {
    let inner = r#"{"secret":{"a":"hunter2"},"b":[1]}"#;
    let json = serde_json::json!({ "body": inner }).to_string();
    let (out, masked) = redact(&Redactor::new(), &json);
    assert_eq!(out, r#"{"body":"{\"secret\":\"***(field)\",\"b\":[1]}"}"#);
    assert_eq!(masked.iter().next().unwrap().path, "/body/secret");
    assert_eq!(
        redacted(r#"{"a":"[note] ann@example.com"}"#),
        r#"{"a":"[note] a***n@example.com"}"#
    );
}

#[test]
fn what_was_masked_is_listed_with_its_path_and_no_secret_in_it() {
    let (_, masked) = redact(
        &Redactor::new(),
        r#"{"a/b":[1,{"ann@example.com":"bob@example.com"}],"cvv":1}"#,
    );
    let list: Vec<_> = masked.iter().map(|mask| (&*mask.path, mask.kind)).collect();
    let name = "/a~1b/1/a***n@example.com";
    assert_eq!(
        list,
        [
            (name, Kind::Email),
            (name, Kind::Email),
            ("/cvv", Kind::Field)
        ]
    );
    let many = format!("[{}]", vec!["\"a@b.co\""; 20].join(","));
    let (_, masked) = redact(&Redactor::new(), &many);
    assert_eq!((masked.iter().len(), masked.more()), (Masked::MOST, 4));
}

#[test]
fn beyond_the_bound_it_is_cut_and_json_still() {
    let redactor = Redactor::new().bytes(256).unwrap().depth(3).unwrap();
    let text = format!("{{\"a\":\"{}\",\"b\":1}}", "x".repeat(1000));
    let (out, _) = redact(&redactor, &text);
    assert!(
        out.len() <= 256 && out.ends_with(r#"x\u2026","\u2026":"\u2026"}"#),
        "{out}"
    );
    assert_eq!(redact(&redactor, "[[[[1]]],2]").0, r#"[[["\u2026"]],2]"#);
    let deep = format!("{}{}", "[".repeat(150), "]".repeat(150));
    assert_eq!(redact(&redactor, &deep).0, r#"[[["\u2026"]]]"#);
    // Nobody's JSON is as deep as this: it is taken as text.
    serde_json::from_str::<Value>(&redact(&redactor, &"[".repeat(100_000)).0).unwrap();
}

#[test]
fn what_is_broken_is_text_and_what_is_cut_is_shown_as_far_as_it_goes() {
    assert_eq!(
        redacted(r#"{"password":"hunter2""#),
        r#""{\"password\":\"***(assignment)\"""#
    );
    assert_eq!(redacted("ann@example.com"), r#""a***n@example.com""#);
    assert_eq!(redacted(""), r#""""#);
    let mut out = Vec::new();
    Redactor::new().redact(b"\"\xff ann@example.com\"", &mut out);
    assert!(
        String::from_utf8(out)
            .unwrap()
            .contains("a***n@example.com")
    );
    for (json, expected) in [
        (
            r#"{"a":1,"password":"hun"#,
            r#"{"a":1,"password":"\u2026"}"#,
        ),
        (r#"{"a":[1,"#, r#"{"a":[1,"\u2026"]}"#),
        (r#"{"a":"b"#, r#"{"a":"\u2026"}"#),
        (r#"{"a":1,"b"#, r#"{"a":1,"\u2026":"\u2026"}"#),
        (r#"{"#, r#"{"\u2026":"\u2026"}"#),
    ] {
        let mut out = Vec::new();
        Redactor::new().redact_beginning(json.as_bytes(), &mut out);
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }
}

#[test]
fn a_pseudonym_stands_where_a_value_was_and_is_the_same_each_time() {
    let names = Pseudonyms::new(1, &Secret::from(vec![1; 32])).unwrap();
    let kinds = Kinds::of([Kind::Email, Kind::Field]);
    let redactor = Redactor::new().pseudonyms(names.clone(), &kinds);
    let (out, _) = redact(
        &redactor,
        r#"{"a":"to ann@example.com","ssn":"078-05-1120","b":"4111111111111111"}"#,
    );
    let (mail, ssn) = (
        names.of(Kind::Email, "ann@example.com"),
        names.of(Kind::Field, "078-05-1120"),
    );
    assert_eq!(
        out,
        format!(r#"{{"a":"to {mail}","ssn":"{ssn}","b":"***(card)"}}"#)
    );
}

#[test]
fn a_shape_is_types_lengths_and_names_and_nothing_else() {
    let json = format!(
        r#"{{"to":"ann@ex","n":1.5,"on":true,"none":null,"l":[{}],"o":{{"a":[{{}},[]]}},"pin":"1234","ann@example.com":1}}"#,
        ["17"; 20].join(",")
    );
    let mut out = Vec::new();
    let masked = Redactor::new().shape(json.as_bytes(), &mut out);
    let numbers = [r#""number""#; 8].join(",");
    let expected = format!(
        r#"{{"to":"string:6","n":"number","on":"boolean","none":"null","l":[{numbers},"array:20"],"o":{{"a":[{{}},[]]}},"pin":"***(field)","a***n@example.com":"number"}}"#
    );
    assert_eq!(String::from_utf8(out).unwrap(), expected);
    assert_eq!(masked.iter().len(), 2);
    let mut out = Vec::new();
    Redactor::new().shape(br#"{"a":"hunter2"#, &mut out);
    assert_eq!(out, br#"{"a":"\u2026"}"#);
    for broken in ["17-4", "", "[] x", "nul"] {
        let mut out = Vec::new();
        Redactor::new().shape(broken.as_bytes(), &mut out);
        assert_eq!(out, br#""\u2026""#, "{broken}");
    }
    let small = Redactor::new().bytes(256).unwrap();
    assert_eq!(
        redact(&small, &format!("0.{}", "1".repeat(300))).0,
        r#""\u2026""#
    );
    assert_eq!(redacted("[1e400,-1E5]"), r#"["1e400",-1E5]"#);
}

#[test]
fn several_are_one_list_within_the_bound() {
    let list = |bytes, json: &[&str]| {
        let mut out = b"x".to_vec();
        let redactor = Redactor::new().bytes(bytes).unwrap();
        let masked = redactor.redact_list(json.iter().map(|json| json.as_bytes()), &mut out);
        let paths: Vec<_> = masked.iter().map(|mask| mask.path.clone()).collect();
        (String::from_utf8(out).unwrap(), paths)
    };
    let (out, paths) = list(300, &[r#"{"a":1}"#, r#"{"a":"ann@example.com"}"#, "{"]);
    assert_eq!(out, r#"x[{"a":1},{"a":"a***n@example.com"},"{"]"#);
    assert_eq!(paths, ["/1/a"]);
    let long = format!("[{}1]", "1,".repeat(100));
    for count in 0..6 {
        let (out, _) = list(300, &vec![&*long; count]);
        assert!(out.len() <= 301, "{out}");
        assert!(serde_json::from_str::<Value>(&out[1..]).is_ok(), "{out}");
    }
}

#[test]
fn names_and_kinds_are_configured() {
    let names = Names::none().with("kennitala").unwrap();
    let redactor = Redactor::new()
        .names(names)
        .kinds(&Kinds::all().without(Kind::Email));
    let json = r#"{"Kenni-Tala":"010130-3019","password":"x","a":"ann@example.com"}"#;
    assert_eq!(
        redact(&redactor, json).0,
        r#"{"Kenni-Tala":"***(field)","password":"x","a":"ann@example.com"}"#
    );
    for error in [
        Redactor::new().bytes(255).unwrap_err(),
        Redactor::new().depth(0).unwrap_err(),
    ] {
        assert!(error.to_string().contains(" is not from "), "{error}");
    }
}

fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,40}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 60, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((".{0,12}", inner), 0..5)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn is_one_line(out: &str) -> bool {
    out.bytes().all(|b| (b' '..=b'~').contains(&b))
}

proptest! {
    #[test]
    fn whatever_comes_is_one_line_of_json_within_the_bound(
        json in json(), bytes in 256_usize..900, depth in 1_usize..8, cut in any::<prop::sample::Index>()
    ) {
        let redactor = Redactor::new().bytes(bytes).unwrap().depth(depth).unwrap();
        let json = json.to_string();
        let cut = cut.index(json.len() + 1);
        for beginning in [json.as_bytes(), &json.as_bytes()[..cut]] {
            for is_cut in [true, false] {
                let mut out = Vec::new();
                match is_cut {
                    true => redactor.redact_beginning(beginning, &mut out),
                    false => redactor.redact(beginning, &mut out),
                };
                let out = String::from_utf8(out).unwrap();
                prop_assert!(is_one_line(&out) && out.len() <= bytes, "{}", out);
                prop_assert!(serde_json::from_str::<Value>(&out).is_ok(), "{}", out);
            }
        }
    }

    #[test]
    fn what_holds_nothing_sensitive_comes_out_as_it_was(json in json()) {
        let redactor = Redactor::new().kinds(&Kinds::of([])).bytes(1 << 20).unwrap();
        let (out, masked) = redact(&redactor, &json.to_string());
        prop_assert!(masked.is_empty());
        prop_assert_eq!(serde_json::from_str::<Value>(&out).unwrap(), json);
    }
}
