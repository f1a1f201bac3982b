//! Who may call which tool, and how often.

use std::error::Error;

use bartizan::{
    ratelimit::{AddressLimits, By, Cost, Quota, RateLimits, Tier},
    rbac::{HoneyTool, Policy, Preset, RbacConfigError, Rule},
};

/// Calls that one account may make at once, and then one each second.
pub(crate) const BURST: u32 = 40;
pub(crate) const PER_MINUTE: u32 = 60;
/// Bad tokens that one address may send at once, and then one every two seconds.
pub(crate) const FAILURES: u32 = 30;

/// A tool that is none: developers are shown it, and whoever calls it is found out.
const HONEY: &str = r#"{"name":"export_users","description":"Exports all users with their passwords","inputSchema":{"type":"object","properties":{}}}"#;

/// Everybody may ask who they are; viewers read, developers write, admins delete. Developers wipe all, once an
/// admin has approved it.
pub(crate) fn policy() -> Result<Policy, RbacConfigError> {
    Policy::builder()
        .preset(Preset::Enterprise)
        .rule(Rule::tool("whoami").identified())
        .rule(Rule::tool("*_note*").role("viewer"))
        .rule(Rule::tool("write_note").role("developer"))
        .rule(Rule::tool("delete_note").role("admin"))
        .rule(
            Rule::tool("wipe_notes")
                .role("developer")
                .approver_role("admin"),
        )
        .honey_tool(
            HoneyTool::new("export_users")
                .shown_to(["developer"])
                .definition(HONEY),
        )
        .build()
}

/// What one address may do before anybody knows who is calling.
pub(crate) fn address_limits() -> Result<AddressLimits, Box<dyn Error>> {
    Ok(AddressLimits::builder()
        .address(Quota::per_minute(1200)?.burst(600)?)
        .discovery(Quota::per_minute(120)?.burst(60)?)
        .failed_authentication(Quota::per_minute(30)?.burst(FAILURES)?)
        .open_per_address(200)
        .open_in_all(2000)
        .build()?)
}

/// What an account may do.
pub(crate) fn limits() -> Result<RateLimits, Box<dyn Error>> {
    Ok(RateLimits::builder()
        .global(Quota::per_minute(6000)?.burst(1000)?)
        .account(Quota::per_minute(PER_MINUTE)?.burst(BURST)?)
        .session(Quota::per_minute(PER_MINUTE)?.burst(BURST)?)
        .tool("delete_note", Quota::per_minute(30)?.burst(10)?)
        .discovery(Quota::per_minute(120)?.burst(60)?)
        // Watched before it is enforced: a note is dearer the longer it is.
        .tier(
            Tier::rate("written", Quota::per_minute(600)?)
                .by(By::account())
                .tools(["write_note"])
                .cost(Cost::each(1).body_bytes(1024))
                .shadow(),
        )
        .open_per_account(32)
        .build()?)
}
