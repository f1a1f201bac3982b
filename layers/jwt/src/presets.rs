use crate::{Algorithm, IssuerConfig, RequiredClaim, TokenProfile};

/// Identity providers whose access tokens are not quite those of RFC 9068.
///
/// Each takes what the provider documents: `typ` `JWT` or none, RS256, and its own names for client,
/// roles and tenant. Since the type says nothing, each requires a claim that only the provider's access
/// tokens have, so that its ID tokens are refused whomever they are for (TV-7). The audience has to be
/// configured there and here all the same (TV-2), and every setting can be changed afterwards: the
/// issuer too, for a domain of your own or for a server of your tests.
impl IssuerConfig {
    /// Microsoft Entra ID, tokens of version 2.0, of one tenant: its GUID, since `common` and
    /// `organizations` issue for everybody.
    ///
    /// The client is `azp`, which is required, the tenant `tid`, roles are `roles`, and a token is revoked
    /// by its `uti`. An application's own token is a
    /// service's if the optional claim `idtyp` is switched on in the application's registration,
    /// otherwise it counts as a user's. The audience is the application's id, or its URI.
    pub fn entra_id(tenant: &str) -> Self {
        Self::provider(format!("https://login.microsoftonline.com/{tenant}/v2.0"))
            .client_id_claim("azp")
            .tenant_claim("tid")
            .tenants([tenant])
            .service_if("idtyp", "app")
            .credential_id_claim("uti")
            .require_claim("azp")
    }

    /// An Okta custom authorization server, `https://example.okta.com/oauth2/default` say. Tokens
    /// of the organization's own server are opaque to others, and cannot be verified.
    ///
    /// The client is `cid`, which is required; roles are the claim `groups`, which has to be added there.
    pub fn okta(authorization_server: &str) -> Self {
        Self::provider(authorization_server)
            .client_id_claim("cid")
            .roles_claim("groups")
            .require_claim("cid")
    }

    /// Auth0, by the tenant's domain: `example.eu.auth0.com`, or a domain of your own.
    ///
    /// The client is `azp`, or `client_id` in the RFC 9068 profile, of which one is required; a token by
    /// client credentials is a service's. Roles have to be added
    /// there, as a claim whose name is a URL, and named here by
    /// [`roles_claim`](Self::roles_claim).
    pub fn auth0(domain: &str) -> Self {
        Self::provider(format!("https://{domain}/"))
            .service_if("gty", "client-credentials")
            .require_claim(RequiredClaim::from("azp").or("client_id"))
    }

    /// A realm of a Keycloak server, such as `https://sso.example.com`.
    ///
    /// The claim `typ` is `Bearer`, or `DPoP` of a token that is bound to a key: one of them is required.
    /// The client is `azp`; roles are those of the realm. A service account is told by the claim
    /// `client_id`, which its scope `service_account` adds. The audience takes a mapper there.
    pub fn keycloak(server: &str, realm: &str) -> Self {
        let server = server.strip_suffix('/').unwrap_or(server);
        Self::provider(format!("{server}/realms/{realm}"))
            .client_id_claim("azp")
            .roles_claim("realm_access.roles")
            .service_if_present("client_id")
            .require_claim(RequiredClaim::from("typ").values(["Bearer", "DPoP"]))
    }

    /// A user pool of Amazon Cognito: `eu-central-1`, `eu-central-1_example`.
    ///
    /// The client is `client_id`, roles are the groups; `token_use` has to be `access`. The token has an audience only if the client
    /// asked for a resource (RFC 8707), as MCP clients do; one without is refused.
    pub fn cognito(region: &str, user_pool: &str) -> Self {
        Self::provider(format!(
            "https://cognito-idp.{region}.amazonaws.com/{user_pool}"
        ))
        .roles_claim("cognito:groups")
        .require_claim(RequiredClaim::from("token_use").values(["access"]))
    }

    /// WorkOS AuthKit, by its domain (`example.authkit.app`, or a domain of your own), and one
    /// organization, `org_01…`: a token of another one, or of none, is refused. More are added by
    /// [`tenants`](Self::tenants).
    ///
    /// These are the tokens of WorkOS Connect, which MCP clients get: `client_id` is required. Their
    /// audience is the resource that the client asked for; that of a program's own token is the
    /// environment's client id, which is to be added as an [`audience`](Self::audience) if programs are to
    /// come in. A session's token has no audience, and is refused (TV-2), unless its template adds one
    /// and a `client_id`. The tenant is `org_id`; roles are `roles` or `role`, and `permissions` count as
    /// roles, so that a policy grants either its capabilities.
    ///
    /// What ends at WorkOS is revoked by `sid`: [`WorkosWebhooks`](crate::WorkosWebhooks).
    pub fn workos(domain: &str, organization_id: &str) -> Self {
        Self::danger_workos_any_organization(domain).tenants([organization_id])
    }

    /// WorkOS AuthKit without regard to the organization: whoever can sign in at that domain is let in,
    /// also who belongs to none. What separates tenants is then the application's affair, by
    /// `Principal::tenant`.
    pub fn danger_workos_any_organization(domain: &str) -> Self {
        Self::provider(format!("https://{domain}"))
            .tenant_claim("org_id")
            .permissions_claim("permissions")
            .require_claim("client_id")
    }

    fn provider(issuer: impl Into<String>) -> Self {
        Self::new(issuer)
            .profile(TokenProfile::GenericAccessToken)
            .algorithms([Algorithm::RS256])
    }
}
