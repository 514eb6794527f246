//! People: signing up and in, links by mail, profile, sessions.

use crate::{
    ids::{SessionId, UserId},
    workspaces::Workspace,
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use validator::Validate;

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct User {
    pub id: UserId,
    pub email: String,
    pub name: String,
    /// Whether a link that was sent to the address has been followed.
    pub email_verified: bool,
    /// Address of the picture, which changes with it.
    pub avatar_url: Option<String>,
    pub created_at: DateTime<Utc>,
}

/// Who is signed in. The session token itself only ever travels in the cookie.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Session {
    pub user: User,
    pub workspaces: Vec<Workspace>,
}

#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignUp {
    /// At most 254 characters.
    #[validate(length(min = 3, max = 254, message = "must be an e-mail address"))]
    #[cfg_attr(
        feature = "openapi",
        schema(example = "ada@example.org", min_length = 3, max_length = 254)
    )]
    pub email: String,
    /// 10 to 200 characters.
    #[validate(length(min = 10, max = 200, message = "must have 10 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 10, max_length = 200, format = "password"))]
    pub password: String,
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: String,
}

#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    #[validate(length(min = 3, max = 254, message = "must be an e-mail address"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 3, max_length = 254))]
    pub email: String,
    #[validate(length(min = 1, max = 200, message = "must have 1 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, format = "password"))]
    pub password: String,
}

/// Asks for a mail with a link. Whether the address is known shows in no way.
#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkRequest {
    #[validate(length(min = 3, max = 254, message = "must be an e-mail address"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 3, max_length = 254))]
    pub email: String,
}

/// A link from a mail, followed.
#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct LinkToken {
    /// The part of the link after `#token=`.
    #[validate(length(equal = 64, message = "must be the 64 characters after #token= in the link"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 64, max_length = 64))]
    pub token: String,
}

/// A new password by a link from a mail. Ends all other sessions.
#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordReset {
    /// The part of the link after `#token=`.
    #[validate(length(equal = 64, message = "must be the 64 characters after #token= in the link"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 64, max_length = 64))]
    pub token: String,
    #[validate(length(min = 10, max = 200, message = "must have 10 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 10, max_length = 200, format = "password"))]
    pub password: String,
}

#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    #[validate(length(min = 1, max = 200, message = "must have 1 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, format = "password"))]
    pub current_password: String,
    #[validate(length(min = 10, max = 200, message = "must have 10 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 10, max_length = 200, format = "password"))]
    pub new_password: String,
}

/// Both addresses get a link; the change takes effect when both were followed.
#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewEmailChange {
    #[validate(length(min = 3, max = 254, message = "must be an e-mail address"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 3, max_length = 254))]
    pub email: String,
    /// The present password.
    #[validate(length(min = 1, max = 200, message = "must have 1 to 200 characters"))]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 200, format = "password"))]
    pub password: String,
}

/// A change of the address that is under way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EmailChange {
    /// The new address.
    pub email: String,
    pub old_confirmed: bool,
    pub new_confirmed: bool,
    pub expires_at: DateTime<Utc>,
}

/// How an account looks to its owner.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Profile {
    pub user: User,
    pub email_change: Option<EmailChange>,
    /// Also in the `ETag` header; send it back in `If-Match`.
    pub version: i64,
}

#[derive(Clone, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ProfilePatch {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[validate(
        length(max = 120, message = "must have at most 120 characters"),
        custom(function = "crate::wire::not_blank")
    )]
    #[cfg_attr(feature = "openapi", schema(min_length = 1, max_length = 120))]
    pub name: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize, Validate)]
#[cfg_attr(feature = "openapi", derive(utoipa::IntoParams))]
#[cfg_attr(feature = "openapi", into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub struct AvatarQuery {
    /// Makes the address of each picture another one; it chooses nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub v: Option<i64>,
}

/// A browser that is signed in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DeviceSession {
    pub id: SessionId,
    /// Browser and system as the browser names them, for instance `Firefox on Linux`.
    pub device: String,
    /// The network address of the last use.
    pub address: String,
    pub created_at: DateTime<Utc>,
    /// To the minute.
    pub last_used_at: DateTime<Utc>,
    /// Without use it ends earlier.
    pub expires_at: DateTime<Utc>,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// What a person can expect of this server before signing in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerFacts {
    /// Whether mail is sent. Without it, links come from the operator.
    pub mail: bool,
    /// Whether mail goes to the page `/outbox` of this server instead of to people: for trying it out.
    pub outbox: bool,
    /// Whether assistants can be hosted by a vLLM server.
    pub vllm: bool,
    /// How large a document may be.
    pub max_document_bytes: u64,
    /// How large a dataset's file may be.
    pub max_dataset_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutboxMails {
    pub items: Vec<OutboxMail>,
}

/// A mail that a server on trial has kept in memory instead of sending it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OutboxMail {
    pub to: String,
    pub subject: String,
    pub text: String,
    pub html: String,
    pub at: DateTime<Utc>,
}
