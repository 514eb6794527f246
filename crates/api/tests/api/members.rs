use crate::helpers::{Answer, Client, TestServer, rounds};
use cerebros_common::{
    accounts::Session,
    api_keys::NewApiKeySecret,
    errors::ErrorCode,
    notifications::{Notification, NotificationKind},
    wire::{CursorPage, Page},
    workspaces::{Member, Role, SentInvitation, Workspace},
};
use reqwest::{Method, StatusCode};
use serde_json::json;

on_both_databases!(
    roles_are_given_by_rank,
    nobody_changes_their_own_role,
    a_role_holds_from_the_next_request_on,
    who_is_removed_loses_role_keys_and_invitations,
    everybody_but_the_owner_leaves,
    a_workspace_is_handed_over,
    there_is_one_owner_whoever_races,
    admins_do_not_remove_each_other,
    changes_need_the_current_version,
);

pub async fn workspace(owner: &Client, name: &str) -> Workspace {
    owner.post("/api/v1/workspaces", json!({"name": name})).await.data()
}

pub async fn session(client: &Client) -> Session {
    client.get("/api/v1/auth/session").await.data()
}

/// The part of a sent invitation's link after `#token=`.
pub fn token_of(sent: &SentInvitation) -> String {
    let link = sent.link.as_deref().unwrap();
    link.split_once("/invitation#token=").unwrap().1.to_owned()
}

/// Invites somebody, who accepts.
pub async fn join(owner: &Client, workspace: &Workspace, person: &Client, role: Role) {
    let email = session(person).await.user.email;
    let new = json!({"email": email, "role": role});
    let sent: SentInvitation = owner.within(workspace).post("/api/v1/invitations", new).await.data();
    let body = json!({"token": token_of(&sent)});
    let joined: Workspace = person.post("/api/v1/invitations/accept", body).await.data();
    assert_eq!((joined.id, joined.role), (workspace.id, role));
}

/// An owner, two admins, an editor and a viewer, each in the workspace.
pub struct Team {
    pub workspace: Workspace,
    pub owner: Client,
    pub admin: Client,
    pub other_admin: Client,
    pub editor: Client,
    pub viewer: Client,
}

pub async fn team(server: &TestServer) -> Team {
    let owner = server.sign_up("owner@example.org").await;
    let workspace = workspace(&owner, "Team").await;
    let mut others = Vec::new();
    for (name, role) in [
        ("admin", Role::Admin),
        ("other.admin", Role::Admin),
        ("editor", Role::Editor),
        ("viewer", Role::Viewer),
    ] {
        let person = server.sign_up(&format!("{name}@example.org")).await;
        join(&owner, &workspace, &person, role).await;
        others.push(person.within(&workspace));
    }
    let [admin, other_admin, editor, viewer] = others.try_into().ok().unwrap();
    Team {
        owner: owner.within(&workspace),
        workspace,
        admin,
        other_admin,
        editor,
        viewer,
    }
}

async fn members(client: &Client) -> Vec<Member> {
    client.get("/api/v1/members").await.data::<Page<Member>>().items
}

pub async fn member_of(asking: &Client, person: &Client) -> Member {
    let id = session(person).await.user.id;
    let mut all = members(asking).await;
    all.retain(|member| member.user_id == id);
    all.pop().unwrap()
}

async fn give(client: &Client, person: &Client, role: Role) -> Answer {
    let member = member_of(client, person).await;
    let path = format!("/api/v1/members/{}", member.user_id);
    client.patch(&path, member.version, json!({"role": role})).await
}

async fn remove(client: &Client, person: &Client) -> Answer {
    let id = session(person).await.user.id;
    client.delete_any_version(&format!("/api/v1/members/{id}")).await
}

async fn roles_are_given_by_rank(server: TestServer) {
    let team = team(&server).await;
    let listed = members(&team.viewer).await;
    assert_eq!(listed.len(), 5);
    assert_eq!(listed[0].email, "owner@example.org");
    assert_eq!(listed[0].role, Role::Owner);

    let changed: Member = give(&team.admin, &team.editor, Role::Reviewer).await.data();
    assert_eq!((changed.role, changed.version), (Role::Reviewer, 2));
    let promoted: Member = give(&team.owner, &team.editor, Role::Admin).await.data();
    assert_eq!(promoted.role, Role::Admin);
    for (who, whom, role) in [
        (&team.admin, &team.viewer, Role::Admin),
        (&team.admin, &team.other_admin, Role::Viewer),
        (&team.admin, &team.owner, Role::Viewer),
        (&team.owner, &team.viewer, Role::Owner),
        (&team.viewer, &team.editor, Role::Viewer),
    ] {
        assert_eq!(
            give(who, whom, role).await.problem().error,
            ErrorCode::Forbidden,
            "{role:?}"
        );
    }
    let stranger = server.stranger().await;
    let id = session(&stranger).await.user.id;
    let absent = team
        .owner
        .patch(&format!("/api/v1/members/{id}"), 1, json!({"role": "viewer"}))
        .await;
    assert_eq!(absent.problem().error, ErrorCode::NotFound);
}

async fn nobody_changes_their_own_role(server: TestServer) {
    let team = team(&server).await;
    for (who, role) in [(&team.admin, Role::Viewer), (&team.owner, Role::Admin)] {
        assert_eq!(give(who, who, role).await.problem().error, ErrorCode::Conflict);
    }
}

async fn a_role_holds_from_the_next_request_on(server: TestServer) {
    let team = team(&server).await;
    let agent = json!({"name": "A"});
    let refused = team.viewer.post("/api/v1/agents", agent.clone()).await.problem();
    assert_eq!(refused.error, ErrorCode::Forbidden);
    give(&team.admin, &team.viewer, Role::Editor).await.data::<Member>();
    assert_eq!(
        team.viewer.post("/api/v1/agents", agent.clone()).await.status,
        StatusCode::CREATED
    );
    give(&team.admin, &team.viewer, Role::Viewer).await.data::<Member>();
    assert_eq!(
        team.viewer.post("/api/v1/agents", agent).await.problem().error,
        ErrorCode::Forbidden
    );
}

async fn who_is_removed_loses_role_keys_and_invitations(server: TestServer) {
    let team = team(&server).await;
    let new = json!({"name": "script"});
    let key: NewApiKeySecret = team.admin.post("/api/v1/api-keys", new.clone()).await.data();
    let elsewhere: NewApiKeySecret = team.admin.anywhere().post("/api/v1/api-keys", new).await.data();
    let invited = json!({"email": "friend@example.org", "role": "viewer"});
    let sent: SentInvitation = team.admin.post("/api/v1/invitations", invited).await.data();
    let script = server.anonymous().with_key(&key.secret);
    assert_eq!(script.get("/api/v1/agents").await.status, StatusCode::OK);

    assert_eq!(remove(&team.owner, &team.admin).await.status, StatusCode::NO_CONTENT);
    assert_eq!(
        script.get("/api/v1/agents").await.problem().error,
        ErrorCode::Unauthenticated
    );
    assert_eq!(
        team.admin.get("/api/v1/agents").await.problem().error,
        ErrorCode::NotFound
    );
    let look = json!({"token": token_of(&sent)});
    let look = server
        .anonymous()
        .post("/api/v1/invitations/look", look)
        .await
        .problem();
    assert_eq!(look.error, ErrorCode::InvalidLink);
    let own = server.anonymous().with_key(&elsewhere.secret);
    assert_eq!(own.get("/api/v1/agents").await.status, StatusCode::OK);
    // Back again, the old key stays revoked.
    join(&team.owner, &team.workspace, &team.admin, Role::Admin).await;
    assert_eq!(
        script.get("/api/v1/agents").await.problem().error,
        ErrorCode::Unauthenticated
    );

    let told: CursorPage<Notification> = team.admin.get("/api/v1/notifications").await.data();
    assert_eq!(told.items[0].kind, NotificationKind::MembershipChanged);
}

async fn everybody_but_the_owner_leaves(server: TestServer) {
    let team = team(&server).await;
    for person in [&team.viewer, &team.editor, &team.admin] {
        assert_eq!(remove(person, person).await.status, StatusCode::NO_CONTENT);
        assert_eq!(person.get("/api/v1/members").await.problem().error, ErrorCode::NotFound);
    }
    assert_eq!(
        remove(&team.owner, &team.owner).await.problem().error,
        ErrorCode::Conflict
    );
    let personal = server.member().await;
    assert_eq!(remove(&personal, &personal).await.problem().error, ErrorCode::Conflict);
    assert_eq!(members(&team.owner).await.len(), 2);
}

async fn hand_over(owner: &Client, person: &Client) -> Answer {
    let id = session(person).await.user.id;
    owner.post_nothing(&format!("/api/v1/members/{id}/make-owner")).await
}

async fn a_workspace_is_handed_over(server: TestServer) {
    let team = team(&server).await;
    assert_eq!(
        hand_over(&team.admin, &team.editor).await.problem().error,
        ErrorCode::Forbidden
    );
    assert_eq!(
        hand_over(&team.owner, &team.owner).await.problem().error,
        ErrorCode::Conflict
    );
    let stranger = server.stranger().await;
    assert_eq!(
        hand_over(&team.owner, &stranger).await.problem().error,
        ErrorCode::NotFound
    );
    let new: Member = hand_over(&team.owner, &team.editor).await.data();
    assert_eq!(new.role, Role::Owner);
    assert_eq!(member_of(&team.owner, &team.owner).await.role, Role::Admin);
    assert_eq!(
        hand_over(&team.owner, &team.admin).await.problem().error,
        ErrorCode::Forbidden
    );
    assert_eq!(remove(&team.owner, &team.owner).await.status, StatusCode::NO_CONTENT);
}

async fn there_is_one_owner_whoever_races(server: TestServer) {
    let team = team(&server).await;
    let everybody = [&team.owner, &team.admin, &team.other_admin];
    let mut owner = 0;
    for _ in 0..rounds() {
        let [a, b] = [1, 2].map(|step| everybody[(owner + step) % 3]);
        let now = everybody[owner];
        let (first, second, removal) = tokio::join!(hand_over(now, a), hand_over(now, b), remove(now, a));
        let done = [&first, &second].map(|answer| answer.status == StatusCode::OK);
        assert!(done[0] != done[1], "{} {}", first.text, second.text);
        // An owner cannot be removed, and a former one cannot remove an admin: `a` is gone if that came first, and then `b` owns.
        let removed = removal.status == StatusCode::NO_CONTENT;
        assert!(!(removed && done[0]), "the new owner was removed");
        owner = (owner + if done[0] { 1 } else { 2 }) % 3;
        let owners: Vec<Member> = members(everybody[owner]).await;
        let owners: Vec<_> = owners.iter().filter(|member| member.role == Role::Owner).collect();
        assert_eq!(owners.len(), 1);
        assert_eq!(owners[0].user_id, session(everybody[owner]).await.user.id);
        if removed {
            join(everybody[owner], &team.workspace, a, Role::Admin).await;
        }
    }
}

async fn admins_do_not_remove_each_other(server: TestServer) {
    let team = team(&server).await;
    let (one, other) = tokio::join!(
        remove(&team.admin, &team.other_admin),
        remove(&team.other_admin, &team.admin)
    );
    assert_eq!(one.problem().error, ErrorCode::Forbidden);
    assert_eq!(other.problem().error, ErrorCode::Forbidden);
    // An admin who has just been demoted decides nothing any more, however close the requests are.
    let (demoted, removal) = tokio::join!(
        give(&team.owner, &team.admin, Role::Viewer),
        remove(&team.admin, &team.editor)
    );
    assert_eq!(demoted.status, StatusCode::OK);
    assert!(
        matches!(removal.status, StatusCode::NO_CONTENT | StatusCode::FORBIDDEN),
        "{}",
        removal.text
    );
    assert_eq!(
        remove(&team.admin, &team.other_admin).await.problem().error,
        ErrorCode::Forbidden
    );
}

async fn changes_need_the_current_version(server: TestServer) {
    let team = team(&server).await;
    let member = member_of(&team.owner, &team.editor).await;
    let path = format!("/api/v1/members/{}", member.user_id);
    assert_eq!(
        team.owner.delete(&path).await.problem().error,
        ErrorCode::PreconditionRequired
    );
    give(&team.admin, &team.editor, Role::Viewer).await.data::<Member>();
    let stale = team.owner.patch(&path, member.version, json!({"role": "editor"})).await;
    assert_eq!(stale.problem().error, ErrorCode::StaleVersion);
    let request = team.owner.request(Method::DELETE, &path);
    let stale = Answer::of(request.header("if-match", format!("\"{}\"", member.version))).await;
    assert_eq!(stale.problem().error, ErrorCode::StaleVersion);
}
