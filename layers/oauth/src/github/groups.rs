use crate::OAuthConfigError;

/// The organizations and teams whose members may pass, and what has to be asked for them.
#[derive(Debug)]
pub(super) struct Groups {
    pub(super) questions: Vec<Question>,
    groups: Vec<Group>,
}

/// A question for a membership.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Question {
    pub(super) path: String,
    /// Whether the path goes on with the user's login.
    pub(super) of_login: bool,
    /// The id that the organization must have.
    pub(super) org_id: Option<u64>,
}

/// What is answered to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Membership {
    Active,
    /// None, or only an invitation, or the organization does not let the app see it.
    None,
    /// In an organization of the name, but of another id.
    OfAnother,
    /// The organization wants the token to be authorized for its single sign-on.
    NeedsSso,
    /// The token is not valid any more.
    BadToken,
}

#[derive(Debug)]
struct Group {
    /// By their places among the questions; all must be answered by an active membership.
    questions: Vec<usize>,
    role: String,
}

/// As configured.
struct Given<'a> {
    org: &'a str,
    org_id: Option<u64>,
    team: Option<&'a str>,
}

/// Each is asked for every new token.
const MAX_QUESTIONS: usize = 16;

impl Groups {
    pub(super) fn new(
        orgs: &[String],
        teams: &[String],
        any_user: bool,
    ) -> Result<Self, OAuthConfigError> {
        let orgs = orgs.iter().map(|org| Given::org(org));
        let teams = teams.iter().map(|team| Given::team(team));
        let given = orgs.chain(teams).collect::<Result<Vec<_>, _>>()?;
        match (given.is_empty(), any_user) {
            (true, false) => return Err(OAuthConfigError::missing("allowed_orgs")),
            (false, true) => {
                let problem = "are given, and danger_any_user is set";
                return Err(OAuthConfigError::of("allowed_orgs", problem));
            }
            _ => {}
        }
        let mut all = Self {
            questions: Vec::new(),
            groups: Vec::new(),
        };
        for group in &given {
            let org_id = org_id_of(group.org, &given)?;
            all.add(group, org_id);
        }
        if all.questions.len() > MAX_QUESTIONS {
            let problem = "need more than 16 questions, with the teams";
            return Err(OAuthConfigError::of("allowed_orgs", problem));
        }
        Ok(all)
    }

    fn add(&mut self, group: &Given<'_>, org_id: Option<u64>) {
        let org = group.org;
        let of_org = Question {
            path: format!("/user/memberships/orgs/{org}"),
            of_login: false,
            org_id,
        };
        let (questions, role) = match group.team {
            None => (vec![self.place_of(of_org)], format!("org:{org}")),
            Some(team) => {
                let of_team = Question {
                    path: format!("/orgs/{org}/teams/{team}/memberships/"),
                    of_login: true,
                    org_id: None,
                };
                // The answer of a team does not name the organization.
                let of_org = org_id.map(|_| self.place_of(of_org));
                let of_team = self.place_of(of_team);
                let questions = of_org.into_iter().chain([of_team]).collect();
                (questions, format!("team:{org}/{team}"))
            }
        };
        self.groups.push(Group { questions, role });
    }

    fn place_of(&mut self, question: Question) -> usize {
        let known = self.questions.iter().position(|q| *q == question);
        known.unwrap_or_else(|| {
            self.questions.push(question);
            self.questions.len().saturating_sub(1)
        })
    }

    /// Whether everybody may pass.
    pub(super) fn is_anybody(&self) -> bool {
        self.groups.is_empty()
    }

    /// The roles that these answers give, in the order of the questions.
    pub(super) fn roles(&self, answers: &[Membership]) -> Vec<&str> {
        let is_active = |place: &usize| answers.get(*place) == Some(&Membership::Active);
        let groups = self.groups.iter();
        let groups = groups.filter(|group| group.questions.iter().all(is_active));
        groups.map(|group| group.role.as_str()).collect()
    }
}

/// An organization that is pinned once is pinned wherever it is named.
fn org_id_of(org: &str, given: &[Given<'_>]) -> Result<Option<u64>, OAuthConfigError> {
    let same = given.iter().filter(|g| g.org.eq_ignore_ascii_case(org));
    let mut ids = same.filter_map(|group| group.org_id);
    let first = ids.next();
    if ids.any(|id| Some(id) != first) {
        let problem = "is given with two ids";
        return Err(OAuthConfigError::new("allowed_orgs", org, problem));
    }
    Ok(first)
}

impl<'a> Given<'a> {
    fn org(text: &'a str) -> Result<Self, OAuthConfigError> {
        let problem = "is no name of an organization, nor `name#id`";
        let error = || OAuthConfigError::new("allowed_orgs", text, problem);
        Self::read(text, None).ok_or_else(error)
    }

    fn team(text: &'a str) -> Result<Self, OAuthConfigError> {
        let problem = "is neither `organization/team-slug` nor `organization#id/team-slug`";
        let error = || OAuthConfigError::new("allowed_teams", text, problem);
        let (org, team) = text.split_once('/').ok_or_else(error)?;
        let group = Self::read(org, Some(team));
        group.filter(|_| is_name(team)).ok_or_else(error)
    }

    fn read(org: &'a str, team: Option<&'a str>) -> Option<Self> {
        let (org, org_id) = match org.split_once('#') {
            Some((org, id)) => (org, Some(id)),
            None => (org, None),
        };
        let is_number = |id: &&str| id.bytes().all(|b| b.is_ascii_digit());
        let org_id = match org_id {
            Some(id) => Some(Some(id).filter(is_number)?.parse().ok()?),
            None => None,
        };
        is_name(org).then_some(Self { org, org_id, team })
    }
}

/// It goes into paths.
fn is_name(name: &str) -> bool {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    !name.is_empty() && name.bytes().all(is_plain) && name.trim_matches('.') == name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn groups(orgs: &[&str], teams: &[&str]) -> Result<Groups, String> {
        let owned = |names: &[&str]| names.iter().map(|&n| n.to_owned()).collect::<Vec<_>>();
        let groups = Groups::new(&owned(orgs), &owned(teams), false);
        groups.map_err(|error| error.to_string())
    }

    #[test]
    fn names_that_would_lead_elsewhere_do_not_build() {
        assert!(groups(&["acme", "a-b_c.d", "x#1"], &["acme/core", "x#1/y"]).is_ok());
        for org in [
            "",
            "a/b",
            "..",
            ".",
            "a?b",
            "a#b",
            "a b",
            "a%2fb",
            "é",
            ".a",
            "a#",
            "#1",
            "a#+1",
            "a#-1",
            "a#1#2",
            "a#99999999999999999999",
        ] {
            assert!(groups(&[org], &[]).is_err(), "{org}");
        }
        for team in [
            "acme",
            "acme/",
            "/core",
            "acme/core/x",
            "../core",
            "acme/..",
            "acme/core#1",
            "a#x/core",
        ] {
            assert!(groups(&[], &[team]).is_err(), "{team}");
        }
        let many: Vec<_> = (0..17).map(|n| format!("org-{n}")).collect();
        let many: Vec<_> = many.iter().map(String::as_str).collect();
        assert!(groups(&many[..16], &[]).is_ok());
        assert!(groups(&many, &[]).is_err());
    }

    #[test]
    fn without_groups_everybody_would_pass_which_has_to_be_said() {
        assert!(groups(&[], &[]).unwrap_err().starts_with("allowed_orgs"));
        assert!(Groups::new(&[], &[], true).unwrap().is_anybody());
        assert!(Groups::new(&["acme".to_owned()], &[], true).is_err());
    }

    #[test]
    fn a_pinned_organization_is_pinned_for_its_teams_and_asked_once() {
        use Membership::{Active, OfAnother};
        let groups = groups(&["acme#1234"], &["Acme/core", "other/core"]).unwrap();
        let asked: Vec<_> = groups
            .questions
            .iter()
            .map(|q| (&*q.path, q.org_id))
            .collect();
        assert_eq!(
            asked,
            [
                ("/user/memberships/orgs/acme", Some(1234)),
                ("/user/memberships/orgs/Acme", Some(1234)),
                ("/orgs/Acme/teams/core/memberships/", None),
                ("/orgs/other/teams/core/memberships/", None),
            ]
        );
        let all = ["org:acme", "team:Acme/core", "team:other/core"];
        assert_eq!(groups.roles(&[Active; 4]), all);
        let answers = [OfAnother, OfAnother, Active, Active];
        assert_eq!(groups.roles(&answers), ["team:other/core"]);
        let error = super::tests::groups(&["acme#1"], &["acme#2/core"]).unwrap_err();
        assert!(error.contains("two ids"), "{error}");
    }
    proptest! {
        #[test]
        fn whatever_builds_leads_nowhere_else(text in "[a-z0-9A-Z#/.%_?-]{0,20}|\\PC{0,20}") {
            for built in [groups(&[&text], &[]), groups(&[], &[&text])] {
                for question in built.iter().flat_map(|groups| &groups.questions) {
                    let mut parts = question.path.split('/');
                    prop_assert!(parts.all(|part| part.is_empty() || is_name(part)));
                    prop_assert!(question.path.matches('/').count() <= 6);
                }
            }
        }
    }
}
