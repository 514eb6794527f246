//! Members of a workspace, and invitations to it.

use super::{Answer, answer, delete, list, order, patch, post, request};
use cerebros_common::{
    accounts::LinkToken,
    ids::{InvitationId, UserId},
    wire::{Page, PageQuery},
    workspaces::{Invitation, InvitationView, Member, MemberPatch, NewInvitation, SentInvitation, Workspace},
};
use gloo_net::http::Method;

pub async fn list_members(query: PageQuery) -> Answer<Page<Member>> {
    list("/members", &query).await
}

pub async fn update_member(id: UserId, version: i64, body: MemberPatch) -> Answer<Member> {
    patch(&format!("/members/{id}"), version, &body).await
}

pub async fn delete_member(id: UserId, version: i64) -> Answer<()> {
    delete(&format!("/members/{id}"), Some(version)).await
}

/// For oneself.
pub async fn leave_workspace(id: UserId) -> Answer<()> {
    let request = request(Method::DELETE, &format!("/members/{id}"), None).header("If-Match", "*");
    answer(request.build()).await.map(|_| ())
}

pub async fn make_owner(id: UserId) -> Answer<Member> {
    order(&format!("/members/{id}/make-owner")).await
}

pub async fn list_invitations(query: PageQuery) -> Answer<Page<Invitation>> {
    list("/invitations", &query).await
}

pub async fn create_invitation(body: NewInvitation) -> Answer<SentInvitation> {
    post("/invitations", &body).await
}

pub async fn delete_invitation(id: InvitationId) -> Answer<()> {
    delete(&format!("/invitations/{id}"), None).await
}

pub async fn resend_invitation(id: InvitationId) -> Answer<SentInvitation> {
    order(&format!("/invitations/{id}/resend")).await
}

/// What the invitation says. It stays open.
pub async fn look_at_invitation(body: LinkToken) -> Answer<InvitationView> {
    post("/invitations/look", &body).await
}

pub async fn accept_invitation(body: LinkToken) -> Answer<Workspace> {
    post("/invitations/accept", &body).await
}
