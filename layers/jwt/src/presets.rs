use crate::{Algorithm, IssuerConfig, TokenProfile};

/// Identity providers whose access tokens are not quite those of RFC 9068.
///
/// Each takes what the provider documents: `typ` `JWT` or none, RS256, and its own names for client,
/// roles and tenant. The audience has to be configured there and here all the same (TV-2), and
/// every setting can be changed afterwards.
impl IssuerConfig {
    /// Microsoft Entra ID, tokens of version 2.0, of one tenant: its GUID, since `common` and
    /// `organizations` issue for everybody.
    ///
    /// The client is `azp`, the tenant `tid`, roles are `roles`. An application's own token is a
    /// service's if the optional claim `idtyp` is switched on in the application's registration,
    /// otherwise it counts as a user's. The audience is the application's id, or its URI.
    pub fn entra_id(tenant: &str) -> Self {
        Self::provider(format!("https://login.microsoftonline.com/{tenant}/v2.0"))
            .client_id_claim("azp")
            .tenant_claim("tid")
            .tenants([tenant])
            .service_if("idtyp", "app")
    }

    /// An Okta custom authorization server, `https://example.okta.com/oauth2/default` say. Tokens
    /// of the organization's own server are opaque to others, and cannot be verified.
    ///
    /// The client is `cid`; roles are the claim `groups`, which has to be added there.
    pub fn okta(authorization_server: &str) -> Self {
        Self::provider(authorization_server)
            .client_id_claim("cid")
            .roles_claim("groups")
    }

    /// Auth0, by the tenant's domain: `example.eu.auth0.com`, or a domain of your own.
    ///
    /// The client is `azp`; a token by client credentials is a service's. Roles have to be added
    /// there, as a claim whose name is a URL, and named here by
    /// [`roles_claim`](Self::roles_claim).
    pub fn auth0(domain: &str) -> Self {
        Self::provider(format!("https://{domain}/"))
            .client_id_claim("azp")
            .service_if("gty", "client-credentials")
    }

    /// A realm of a Keycloak server, such as `https://sso.example.com`.
    ///
    /// The client is `azp`; roles are those of the realm. A service account is told by the claim
    /// `client_id`, which its scope `service_account` adds. The audience takes a mapper there.
    pub fn keycloak(server: &str, realm: &str) -> Self {
        let server = server.strip_suffix('/').unwrap_or(server);
        Self::provider(format!("{server}/realms/{realm}"))
            .client_id_claim("azp")
            .roles_claim("realm_access.roles")
            .service_if_present("client_id")
    }

    /// A user pool of Amazon Cognito: `eu-central-1`, `eu-central-1_example`.
    ///
    /// The client is `client_id`, roles are the groups. The token has an audience only if the client
    /// asked for a resource (RFC 8707), as MCP clients do; one without is refused.
    pub fn cognito(region: &str, user_pool: &str) -> Self {
        Self::provider(format!(
            "https://cognito-idp.{region}.amazonaws.com/{user_pool}"
        ))
        .roles_claim("cognito:groups")
    }

    /// WorkOS AuthKit, by its domain: `example.authkit.app`, or a domain of your own.
    ///
    /// The tenant is `org_id`; roles are `roles` or `role`, and `permissions` count as roles, so that a
    /// policy grants either its capabilities. A session that ends at WorkOS is revoked here by its `sid`
    /// (`Revocations::revoke_session`). The token has an audience if the client asked for a resource.
    pub fn workos(domain: &str) -> Self {
        Self::provider(format!("https://{domain}"))
            .tenant_claim("org_id")
            .permissions_claim("permissions")
    }

    fn provider(issuer: impl Into<String>) -> Self {
        Self::new(issuer)
            .profile(TokenProfile::GenericAccessToken)
            .algorithms([Algorithm::RS256])
    }
}
