//! The permissions of our own routes, as types: a handler names the one that it needs.

/// A permission, as a type.
pub trait Permission: Send + 'static {
    /// Its canonical key.
    const KEY: &'static str;
}

permissions! {
    ActivityLogManage = "api.admin.activity_log.manage",
    ApiKeysManage = "api.keys.manage",
    BaselinesManage = "api.security.integrity_baselines.manage",
    DeploymentsManage = "api.security.integrity_deployments.manage",
    FileAlertsManage = "api.security.file_integrity_alerts.manage",
    ApiPermissionsManage = "api.admin.api_permissions.manage",
    LimitsManage = "api.admin.limits.manage",
    MobileAuthUse = "api.security.mobile_auth.use",
    PasswordBreachCheckRead = "api.security.password_breach_check.read",
    PasswordBreachStatusManage = "api.admin.password_breach_status.manage",
    RolesManage = "api.admin.roles.manage",
    SecurityReportManage = "api.admin.security_report.manage",
    SessionsList = "api.security.sessions.list",
    SessionsManage = "api.security.sessions.manage",
    SessionsTerminate = "api.security.sessions.terminate",
    TokensIntrospectUse = "api.tokens.introspect.use",
    UserLogoutManage = "api.users.logout_user.manage",
    UserManagementPolicyManage = "api.admin.user_management_policy.manage",
    UserPermissionsManage = "api.users.permissions.manage",
    UsersManage = "api.users.users.manage",
}

macro_rules! permissions {
    ($($name:ident = $key:literal,)*) => {$(
        #[doc = concat!("`", $key, "`.")]
        pub struct $name;

        impl Permission for $name {
            const KEY: &'static str = $key;
        }
    )*};
}
use permissions;
