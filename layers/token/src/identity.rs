use bartizan_core::{CredentialLimits, Principal, PrincipalBuilder};
use serde_json::{Map, Value};

use crate::{Fault, RequiredClaim, TokenConfigError, claim_path::ClaimPath, required::Requirement};

/// More roles or scopes than a policy can mean.
const MAX_NAMES: usize = 256;
const MAX_ID_BYTES: usize = 1024;

/// How claims become a principal.
#[derive(Debug)]
pub struct ClaimMap {
    roles: Option<ClaimPath>,
    permissions: Option<ClaimPath>,
    client_id: Option<ClaimPath>,
    service: Option<(ClaimPath, Option<String>)>,
    tenant: Option<ClaimPath>,
    /// None for all.
    tenants: Vec<String>,
    credential_id: Option<ClaimPath>,
    tool_limits: Option<ClaimPath>,
    required: Vec<Requirement>,
}

/// Which claims say what; each as a path, with its default where it is absent.
#[derive(Debug, Clone, Copy, Default)]
pub struct ClaimNames<'a> {
    /// The roles; by default `roles`, or else `role`.
    pub roles_claim: Option<&'a str>,
    /// Permissions, which count as roles; none by default.
    pub permissions_claim: Option<&'a str>,
    /// The client; by default `client_id`, or else `azp`.
    pub client_id_claim: Option<&'a str>,
    /// What tells a program's own token from a person's.
    pub service_claim: Option<&'a str>,
    /// What that claim says of programs; by default its presence says enough.
    pub service_value: Option<&'a str>,
    /// The tenant; none by default.
    pub tenant_claim: Option<&'a str>,
    /// The tenants that are accepted; all if empty.
    pub tenants: &'a [String],
    /// The credential's id; by default `jti`.
    pub credential_id_claim: Option<&'a str>,
    /// The patterns of tools that the credential is limited to; none by default.
    pub tool_limits_claim: Option<&'a str>,
    /// What a token has to say besides.
    pub required: &'a [RequiredClaim],
}

impl ClaimMap {
    /// A map by the claims' names.
    ///
    /// # Errors
    ///
    /// If a name is no path of names, or one of the settings makes no sense without another.
    pub fn new(names: &ClaimNames<'_>) -> Result<Self, TokenConfigError> {
        let path =
            |setting, text: Option<&str>| text.map(|t| ClaimPath::new(setting, t)).transpose();
        if !names.tenants.is_empty() && names.tenant_claim.is_none() {
            return Err(TokenConfigError::of("tenants", "need tenant_claim"));
        }
        if names.tenants.iter().any(String::is_empty) {
            return Err(TokenConfigError::missing("tenants"));
        }
        if names.service_value.is_some() && names.service_claim.is_none() {
            return Err(TokenConfigError::of("service_value", "needs service_claim"));
        }
        let service = path("service_claim", names.service_claim)?;
        Ok(Self {
            roles: path("roles_claim", names.roles_claim)?,
            permissions: path("permissions_claim", names.permissions_claim)?,
            client_id: path("client_id_claim", names.client_id_claim)?,
            service: service.map(|path| (path, names.service_value.map(str::to_owned))),
            tenant: path("tenant_claim", names.tenant_claim)?,
            tenants: names.tenants.to_vec(),
            credential_id: path("credential_id_claim", names.credential_id_claim)?,
            tool_limits: path("tool_limits_claim", names.tool_limits_claim)?,
            required: names
                .required
                .iter()
                .map(Requirement::new)
                .collect::<Result<_, _>>()?,
        })
    }

    /// The principal of claims that were judged, yet without them and without an expiry.
    ///
    /// A claim that is there and not of its type refuses the token: leaving out a role might be
    /// leaving out what a policy forbids.
    pub fn principal(
        &self,
        issuer: &str,
        subject: &str,
        claims: &Map<String, Value>,
    ) -> Result<PrincipalBuilder, Fault> {
        for required in &self.required {
            required.judge(claims)?;
        }
        let roles = self.roles(claims)?;
        let scopes = scopes(claims)?;
        let client_id = self.client_id(claims)?;
        let is_service = client_id == Some(subject) || self.marks_service(claims);
        let mut principal = if is_service {
            Principal::service(issuer, subject)
        } else {
            Principal::user(issuer, subject)
        };
        if let Some(client_id) = client_id {
            principal = principal.client_id(client_id);
        }
        let credential_id = match &self.credential_id {
            Some(path) => path.find(claims),
            None => claims.get("jti"),
        };
        if let Some(credential_id) = id(credential_id)? {
            principal = principal.credential_id(credential_id);
        }
        let tenant = self.tenant.as_ref().and_then(|path| path.find(claims));
        let tenant = id(tenant)?;
        if !self.tenants.is_empty() && !tenant.is_some_and(|t| self.tenants.iter().any(|o| o == t))
        {
            return Err("another tenant");
        }
        if let Some(tenant) = tenant {
            principal = principal.tenant(tenant);
        }
        if let Some(limits) = self.limits(claims)? {
            principal = principal.limits(limits);
        }
        Ok(principal.roles(roles).scopes(scopes))
    }

    fn limits(&self, claims: &Map<String, Value>) -> Result<Option<CredentialLimits>, Fault> {
        let Some(path) = &self.tool_limits else {
            return Ok(None);
        };
        let list = match path.find_strictly(claims)? {
            None => return Ok(None),
            Some(Value::Array(list)) if list.iter().all(Value::is_string) => list,
            Some(_) => return Err("the limits to tools are no list of patterns"),
        };
        let tools = list.iter().filter_map(Value::as_str);
        let limits = CredentialLimits::new().with_tools(tools);
        let refused = |_| "the limits to tools hold something that is no pattern, or too much";
        limits.map(Some).map_err(refused)
    }

    /// Unless configured, `client_id`, or `azp` if there is no such claim.
    fn client_id<'a>(&self, claims: &'a Map<String, Value>) -> Result<Option<&'a str>, Fault> {
        if let Some(path) = &self.client_id {
            return id(path.find(claims));
        }
        match id(claims.get("client_id"))? {
            Some(client_id) => Ok(Some(client_id)),
            None => id(claims.get("azp")),
        }
    }

    /// Whether the claims say that a program has the token for itself.
    fn marks_service(&self, claims: &Map<String, Value>) -> bool {
        let Some((path, value)) = &self.service else {
            return false;
        };
        match (path.find(claims), value) {
            (Some(claim), Some(value)) => claim == value.as_str(),
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Unless configured, `roles`, or `role` if there is no such claim; and the permissions.
    fn roles<'a>(&self, claims: &'a Map<String, Value>) -> Result<Vec<&'a str>, Fault> {
        let claim = match &self.roles {
            Some(path) => path.find(claims),
            None => claims.get("roles").or_else(|| claims.get("role")),
        };
        let mut roles = one_or_more(claim)?;
        let permissions = self.permissions.as_ref().and_then(|path| path.find(claims));
        for permission in one_or_more(permissions)? {
            if !roles.contains(&permission) {
                roles.push(permission);
            }
        }
        if roles.len() > MAX_NAMES {
            return Err("too many roles or scopes");
        }
        Ok(roles)
    }
}

/// Whatever `scope`, `scp` and `scopes` grant, as one list (TV-17).
fn scopes(claims: &Map<String, Value>) -> Result<Vec<&str>, Fault> {
    let mut scopes: Vec<&str> = Vec::new();
    for name in ["scope", "scp", "scopes"] {
        let more = match claims.get(name) {
            None | Some(Value::Null) => continue,
            Some(Value::String(text)) => text.split(' ').filter(|s| !s.is_empty()).collect(),
            Some(Value::Array(list)) => names(list)?,
            Some(_) => return Err("the scopes are neither text nor a list of names"),
        };
        for scope in more {
            if scopes.len() == MAX_NAMES {
                return Err("too many roles or scopes");
            }
            if !scopes.contains(&scope) {
                scopes.push(scope);
            }
        }
    }
    Ok(scopes)
}

fn one_or_more(claim: Option<&Value>) -> Result<Vec<&str>, Fault> {
    match claim {
        None | Some(Value::Null) => Ok(Vec::new()),
        Some(Value::String(name)) if !name.is_empty() => Ok(vec![name]),
        Some(Value::Array(list)) => names(list),
        Some(_) => Err("the roles are neither a name nor a list of names"),
    }
}

fn names(list: &[Value]) -> Result<Vec<&str>, Fault> {
    if list.len() > MAX_NAMES {
        return Err("too many roles or scopes");
    }
    let name = |value: &'_ Value| matches!(value.as_str(), Some(name) if !name.is_empty());
    if !list.iter().all(name) {
        return Err("a list of roles or scopes holds something that is no name");
    }
    Ok(list.iter().filter_map(Value::as_str).collect())
}

fn id(claim: Option<&Value>) -> Result<Option<&str>, Fault> {
    match claim {
        None => Ok(None),
        Some(Value::String(id)) if (1..=MAX_ID_BYTES).contains(&id.len()) => Ok(Some(id)),
        Some(_) => Err("an identifier is no string of reasonable length"),
    }
}

#[cfg(test)]
mod tests {
    use bartizan_core::{Principal, PrincipalKind};
    use serde_json::json;

    use super::*;

    fn map(roles: Option<&str>, claims: &Value) -> Result<Principal, Fault> {
        let names = ClaimNames {
            roles_claim: roles,
            tenant_claim: Some("tid"),
            ..ClaimNames::default()
        };
        let map = ClaimMap::new(&names).unwrap();
        map.principal("https://a.example", "ann", claims.as_object().unwrap())
            .map(|principal| principal.build("jwt"))
    }

    fn roles(path: Option<&str>, claims: &Value) -> Vec<String> {
        let principal = map(path, claims).unwrap();
        principal.roles().map(str::to_owned).collect()
    }

    #[test]
    fn seed_a17_roles_and_role_as_list_or_single_name() {
        assert_eq!(roles(None, &json!({"roles": ["a", "b"]})), ["a", "b"]);
        assert_eq!(roles(None, &json!({"roles": "a b"})), ["a b"]);
        assert_eq!(roles(None, &json!({"role": "admin"})), ["admin"]);
        assert_eq!(roles(None, &json!({"roles": [], "role": "admin"})), [""; 0]);
        assert_eq!(roles(None, &json!({"roles": null})), [""; 0]);
        let keycloak = json!({"realm_access": {"roles": ["x"]}, "roles": ["no"]});
        assert_eq!(roles(Some("realm_access.roles"), &keycloak), ["x"]);
        let namespaced = json!({"https://example.com/roles": ["x"]});
        assert_eq!(roles(Some("https://example.com/roles"), &namespaced), ["x"]);
        assert_eq!(roles(Some("a.b.c"), &json!({"a": {"b": 1}})), [""; 0]);
    }

    #[test]
    fn permissions_count_as_roles_and_are_as_strictly_read() {
        let names = ClaimNames {
            permissions_claim: Some("permissions"),
            ..ClaimNames::default()
        };
        let map = ClaimMap::new(&names).unwrap();
        let roles = |claims: Value| {
            let principal =
                map.principal("https://a.example", "ann", claims.as_object().unwrap())?;
            let principal = principal.build("jwt");
            Ok::<_, Fault>(principal.roles().map(str::to_owned).collect::<Vec<_>>())
        };
        let both = json!({"role": "admin", "permissions": ["notes:read", "admin"]});
        assert_eq!(roles(both).unwrap(), ["admin", "notes:read"]);
        assert_eq!(roles(json!({"permissions": []})).unwrap(), [""; 0]);
        for permissions in [json!(7), json!([7]), json!([""]), json!({"a": 1})] {
            assert!(roles(json!({ "permissions": permissions })).is_err());
        }
        let many = |prefix| (0..200).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
        assert!(roles(json!({"roles": many("r"), "permissions": many("p")})).is_err());
    }

    #[test]
    fn seed_a17_claims_of_the_wrong_type_refuse_the_token() {
        for claims in [
            json!({"roles": 7}),
            json!({"roles": {"a": 1}}),
            json!({"roles": ["a", 7]}),
            json!({"roles": [""]}),
            json!({"roles": ""}),
            json!({"scope": 7}),
            json!({"scp": [["a"]]}),
            json!({"client_id": 7}),
            json!({"client_id": ""}),
            json!({"azp": ["a"]}),
            json!({"jti": 7}),
            json!({"tid": 7}),
            json!({"roles": vec!["r"; 257]}),
            json!({"scope": (0..257).map(|n| n.to_string()).collect::<Vec<_>>().join(" ")}),
        ] {
            assert!(map(None, &claims).is_err(), "{claims}");
        }
    }

    #[test]
    fn tv_17_three_encodings_of_one_grant_are_alike() {
        for claims in [
            json!({"scope": "a b"}),
            json!({"scp": "a b"}),
            json!({"scp": ["a", "b"]}),
            json!({"scopes": ["a", "b"]}),
            json!({"scope": " a  b ", "scp": ["b", "a"]}),
        ] {
            assert!(
                map(None, &claims).unwrap().scopes().eq(["a", "b"]),
                "{claims}"
            );
        }
        assert_eq!(map(None, &json!({})).unwrap().scopes().len(), 0);
    }

    #[test]
    fn a_credentials_id_is_jti_or_the_claim_that_is_named() {
        let id = |claim: Option<&str>, claims: Value| {
            let names = ClaimNames {
                credential_id_claim: claim,
                ..ClaimNames::default()
            };
            let map = ClaimMap::new(&names).unwrap();
            let claims = claims.as_object().unwrap();
            let principal = map.principal("https://a.example", "ann", claims)?;
            Ok::<_, Fault>(principal.build("jwt").credential_id().map(str::to_owned))
        };
        let both = || json!({"jti": "j", "uti": "u"});
        assert_eq!(id(None, both()), Ok(Some("j".into())));
        assert_eq!(id(Some("uti"), both()), Ok(Some("u".into())));
        assert_eq!(id(Some("uti"), json!({"jti": "j"})), Ok(None));
        assert!(id(Some("uti"), json!({"uti": 7})).is_err());
    }

    #[test]
    fn a_token_is_limited_to_the_tools_it_names_and_refused_if_that_cannot_be_read() {
        let limited = |claim: &str, claims: Value| {
            let names = ClaimNames {
                tool_limits_claim: Some(claim),
                ..ClaimNames::default()
            };
            let map = ClaimMap::new(&names).unwrap();
            let claims = claims.as_object().unwrap();
            let principal = map.principal("https://a.example", "ann", claims)?;
            Ok::<_, Fault>(principal.build("jwt").limits().to_vec())
        };
        let to = |tools: &[&str]| vec![CredentialLimits::new().with_tools(tools).unwrap()];
        let tools = |tools: Value| limited("mcp_tools", json!({ "mcp_tools": tools }));
        assert_eq!(tools(json!(["read_*", "x"])), Ok(to(&["read_*", "x"])));
        assert_eq!(tools(json!([])), Ok(to(&[])), "none at all");
        assert_eq!(limited("mcp_tools", json!({})), Ok(vec![]));
        assert_eq!(
            limited("mcp.tools", json!({"mcp": {"tools": ["x"]}})),
            Ok(to(&["x"]))
        );
        assert_eq!(limited("mcp.tools", json!({"mcp": {}})), Ok(vec![]));
        for wrong in [json!(["x"]), json!(null), json!("x"), json!(7)] {
            assert!(
                limited("mcp.tools", json!({ "mcp": wrong })).is_err(),
                "{wrong}"
            );
        }
        for wrong in [
            json!(null),
            json!("read_*"),
            json!({"tools": ["x"]}),
            json!(["x", 7]),
            json!([["x"]]),
            json!(["x?"]),
            json!([""]),
            json!(["**"]),
            json!(["a".repeat(1025)]),
            json!(vec!["a"; 257]),
        ] {
            assert!(tools(wrong.clone()).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tv_16_a_client_that_acts_for_itself_is_a_service() {
        let kind = |claims| map(None, &claims).unwrap().kind();
        assert_eq!(kind(json!({"client_id": "ann"})), PrincipalKind::Service);
        assert_eq!(kind(json!({"azp": "ann"})), PrincipalKind::Service);
        assert_eq!(kind(json!({"client_id": "agent"})), PrincipalKind::User);
        assert_eq!(
            kind(json!({"client_id": "agent", "azp": "ann"})),
            PrincipalKind::User
        );
        assert_eq!(kind(json!({})), PrincipalKind::User);
    }
}
