use bartizan_core::{DenialKind, Finding, Verdict};
use http::StatusCode;

use crate::Answer;

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Outcome {
    /// Every guard let it pass, and the service answered below 500. What it answered may be a failure:
    /// [`Record::result`](crate::Record::result) tells.
    Admitted,
    /// A guard refused it: the answer carries a denial, or is an error after a guard's refusal. So is
    /// what a handler refused through its caller, whatever the status.
    Refused,
    /// Every guard let it pass, and the service answered 500 or above or with a JSON-RPC error that says the
    /// same (−32603), or failed before its answer had ended.
    Failed,
    /// A guard or the service panicked.
    Panicked,
    /// Dropped before its answer had ended: the client left, or a time limit ended it.
    Aborted,
}

impl Outcome {
    /// Every outcome.
    pub const ALL: [Self; 5] = [
        Self::Admitted,
        Self::Refused,
        Self::Failed,
        Self::Panicked,
        Self::Aborted,
    ];

    /// A stable word for records and metrics.
    pub fn name(self) -> &'static str {
        match self {
            Self::Admitted => "admitted",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Panicked => "panicked",
            Self::Aborted => "aborted",
        }
    }

    /// What four words tell of it: `success`, `failure` (the caller's), `error` (ours), `aborted` (nobody knows).
    pub(crate) fn result(self, status: Option<StatusCode>, answer: Option<Answer>) -> &'static str {
        let is_failure = matches!(answer, Some(Answer::ToolError | Answer::RpcError(_)));
        match (self, status) {
            (Self::Admitted, _) if is_failure => "failure",
            (Self::Refused, Some(status)) if !status.is_server_error() => "failure",
            (Self::Admitted, Some(status)) if status.is_client_error() => "failure",
            (Self::Admitted, _) => "success",
            (Self::Aborted, _) => "aborted",
            _ => "error",
        }
    }
}

/// What the layer saw of the end.
#[derive(Debug, Clone, Copy)]
pub(crate) enum End {
    Answered(StatusCode, Option<DenialKind>),
    Without(Outcome),
}

/// The JSON-RPC code of a server that failed.
const INTERNAL: i64 = -32603;

impl End {
    /// The outcome, and why if a guard refused.
    pub(crate) fn judged(
        self,
        findings: &[Finding],
        answer: Option<Answer>,
    ) -> (Outcome, Option<DenialKind>) {
        let (status, denial) = match self {
            Self::Without(outcome) => return (outcome, None),
            Self::Answered(status, denial) => (status, denial),
        };
        let is_error = status.is_client_error() || status.is_server_error();
        let is_internal = answer.and_then(Answer::code) == Some(INTERNAL);
        match denial.or_else(|| last_refusal(findings, is_error)) {
            Some(kind) => (Outcome::Refused, Some(kind)),
            None if status.is_server_error() || is_internal => (Outcome::Failed, None),
            None => (Outcome::Admitted, None),
        }
    }
}

/// The refusal that the answer is made of. A layer between that rebuilds answers loses their denial;
/// the guard's finding remains. Of a handler's refusal it is all there is: the protocol answers it with
/// an error inside of a 200.
fn last_refusal(findings: &[Finding], is_error: bool) -> Option<DenialKind> {
    let refusal = findings.iter().rfind(|finding| {
        finding.verdict == Verdict::Refused && (is_error || finding.layer == HANDLER)
    })?;
    denial_of(refusal)
}

/// The layer that a handler refuses under.
const HANDLER: &str = "caller";

/// Why it was refused, as far as the finding's kind tells.
pub(crate) fn denial_of(refusal: &Finding) -> Option<DenialKind> {
    let mut kinds = DenialKind::ALL.iter().copied();
    kinds.find(|kind| kind.name() == refusal.kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(status: u16, denial: Option<DenialKind>, findings: &[Finding]) -> Outcome {
        let status = StatusCode::from_u16(status).unwrap();
        End::Answered(status, denial).judged(findings, None).0
    }

    #[test]
    fn a_refusal_is_known_by_its_denial_or_by_its_finding() {
        let refused = [Finding::new("rbac", Verdict::Refused, "forbidden", "")];
        let denial = Some(DenialKind::Forbidden);
        assert_eq!(answered(403, denial, &[]), Outcome::Refused);
        assert_eq!(answered(403, None, &refused), Outcome::Refused);
        assert_eq!(answered(403, None, &[]), Outcome::Admitted);
        assert_eq!(answered(200, None, &refused), Outcome::Admitted);
        assert_eq!(answered(500, None, &[]), Outcome::Failed);
        let by_handler = [Finding::new("caller", Verdict::Refused, "forbidden", "")];
        assert_eq!(answered(200, None, &by_handler), Outcome::Refused);
    }

    #[test]
    fn seed_u12_results_tell_refusals_failures_and_successes_apart() {
        let status = |code| Some(StatusCode::from_u16(code).unwrap());
        for (outcome, code, result) in [
            (Outcome::Admitted, status(200), "success"),
            (Outcome::Admitted, status(304), "success"),
            (Outcome::Admitted, status(404), "failure"),
            (Outcome::Refused, status(401), "failure"),
            (Outcome::Refused, status(200), "failure"),
            (Outcome::Refused, status(503), "error"),
            (Outcome::Failed, status(502), "error"),
            (Outcome::Failed, None, "error"),
            (Outcome::Panicked, None, "error"),
            (Outcome::Aborted, None, "aborted"),
            (Outcome::Aborted, status(200), "aborted"),
        ] {
            let told = outcome.result(code, None);
            assert_eq!(told, result, "{outcome:?} {code:?}");
        }
        let answer = |answer| Outcome::Admitted.result(status(200), Some(answer));
        assert_eq!(answer(Answer::Result), "success");
        assert_eq!(answer(Answer::ToolError), "failure");
        assert_eq!(answer(Answer::RpcError(None)), "failure");
        let internal = End::Answered(StatusCode::OK, None);
        let internal = internal.judged(&[], Some(Answer::RpcError(Some(-32603))));
        assert_eq!(internal, (Outcome::Failed, None));
    }

    #[test]
    fn every_outcome_stands_at_its_place() {
        for (place, outcome) in Outcome::ALL.into_iter().enumerate() {
            assert_eq!(place, outcome as usize);
        }
    }
}
