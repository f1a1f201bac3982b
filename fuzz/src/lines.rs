use http::{HeaderMap, HeaderName, HeaderValue};

/// The lines of an input. A header value holds no line feed, so this loses no input.
pub(crate) fn lines(data: &[u8]) -> impl Iterator<Item = &[u8]> {
    data.split(|byte| *byte == b'\n')
}

/// Every line that may be a value of a header, as one. An empty input is no line.
pub(crate) fn values(data: &[u8]) -> Vec<HeaderValue> {
    let lines = lines(data).filter(|_| !data.is_empty());
    lines
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect()
}

/// Every line `name: value` whose name is `allowed`, as a header. Of the value only the first
/// space is dropped.
pub(crate) fn headers(data: &[u8], allowed: fn(&str) -> bool) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for line in lines(data) {
        let Some(colon) = line.iter().position(|byte| *byte == b':') else {
            continue;
        };
        let value = &line[colon + 1..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        let (Ok(name), Ok(value)) = (
            HeaderName::from_bytes(&line[..colon]),
            HeaderValue::from_bytes(value),
        ) else {
            continue;
        };
        if allowed(name.as_str()) {
            headers.append(name, value);
        }
    }
    headers
}
