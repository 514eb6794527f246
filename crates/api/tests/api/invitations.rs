use crate::{
    helpers::{Answer, Client, TestServer},
    members::{join, session, team, token_of, workspace},
};
use cerebros_api::config::MailConfig;
use cerebros_common::{
    accounts::{OutboxMail, OutboxMails},
    errors::ErrorCode,
    notifications::{Notification, NotificationKind},
    wire::{CursorPage, Page},
    workspaces::{Invitation, InvitationView, Member, Role, SentInvitation, Workspace},
};
use reqwest::StatusCode;
use serde_json::{Value, json};

on_both_databases!(
    an_invitation_is_accepted_once_by_its_address,
    with_mail_the_link_goes_to_the_address_alone,
    two_who_use_a_link_at_once_get_in_once,
    an_old_link_stops_working,
    who_may_invite_whom,
    an_address_is_invited_once,
    at_most_a_hundred_wait,
);

async fn invite(client: &Client, email: &str, role: Role) -> Answer {
    client
        .post("/api/v1/invitations", json!({"email": email, "role": role}))
        .await
}

async fn accept(client: &Client, sent: &SentInvitation) -> Answer {
    client.post("/api/v1/invitations/accept", token(sent)).await
}

async fn look(client: &Client, sent: &SentInvitation) -> Answer {
    client.post("/api/v1/invitations/look", token(sent)).await
}

fn token(sent: &SentInvitation) -> Value {
    json!({"token": token_of(sent)})
}

async fn an_invitation_is_accepted_once_by_its_address(server: TestServer) {
    let owner = server.member().await;
    let team = workspace(&owner, "Team").await;
    let owner = owner.within(&team);
    let answer = invite(&owner, " Ada@Example.org ", Role::Editor).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let sent: SentInvitation = answer.data();
    assert!(
        sent.link
            .as_deref()
            .unwrap()
            .starts_with(&format!("{}/invitation#token=", server.url))
    );
    assert_eq!(sent.invitation.email, "Ada@Example.org");
    let listed = owner.get("/api/v1/invitations").await;
    assert!(!listed.text.contains(&token_of(&sent)));
    assert_eq!(listed.data::<Page<Invitation>>().items[0], sent.invitation);

    let view: InvitationView = look(&server.anonymous(), &sent).await.data();
    assert_eq!((view.workspace.as_str(), view.role), ("Team", Role::Editor));
    assert_eq!(
        accept(&server.anonymous(), &sent).await.problem().error,
        ErrorCode::Unauthenticated
    );
    let stranger = server.stranger().await;
    assert_eq!(accept(&stranger, &sent).await.problem().error, ErrorCode::Forbidden);

    let ada = server.sign_up("ADA@example.org").await;
    let joined: Workspace = accept(&ada, &sent).await.data();
    assert_eq!((joined.id, joined.role), (team.id, Role::Editor));
    assert_eq!(accept(&ada, &sent).await.problem().error, ErrorCode::InvalidLink);
    assert_eq!(look(&ada, &sent).await.problem().error, ErrorCode::InvalidLink);
    assert!(
        owner
            .get("/api/v1/invitations")
            .await
            .data::<Page<Invitation>>()
            .items
            .is_empty()
    );
    let told: CursorPage<Notification> = owner.get("/api/v1/notifications").await.data();
    assert_eq!(told.items[0].kind, NotificationKind::MemberJoined);
    // A link that was passed on by hand proves nothing of the address.
    assert!(!session(&ada).await.user.email_verified);
}

async fn with_mail_the_link_goes_to_the_address_alone(server: TestServer) {
    let server = TestServer::start_with(server.kind, |config| config.mail = MailConfig::Outbox).await;
    let owner = server.member().await;
    let team = workspace(&owner, "Team").await;
    let owner = owner.within(&team);
    let ada = server.sign_up("ada@example.org").await;
    let mails = async |count: usize| -> Vec<String> {
        let to_ada = |mail: &OutboxMail| mail.to == "ada@example.org" && mail.text.contains("/invitation#token=");
        let all: OutboxMails = server
            .anonymous()
            .wait("/api/v1/outbox", |all: &OutboxMails| {
                all.items.iter().filter(|mail| to_ada(mail)).count() == count
            })
            .await;
        let tokens = all.items.iter().filter(|mail| to_ada(mail)).map(|mail| {
            let token = mail.text.split_once("#token=").unwrap().1;
            assert!(
                mail.text.contains("“Team”") && mail.text.contains("as editor"),
                "{}",
                mail.text
            );
            token.lines().next().unwrap().to_owned()
        });
        tokens.collect()
    };
    let sent: SentInvitation = invite(&owner, "ada@example.org", Role::Editor).await.data();
    assert_eq!(sent.link, None);
    let first = mails(1).await.remove(0);
    let path = format!("/api/v1/invitations/{}/resend", sent.invitation.id);
    assert_eq!(owner.post_nothing(&path).await.data::<SentInvitation>().link, None);
    let second = mails(2).await.remove(0);
    let accept = async |token: &str| ada.post("/api/v1/invitations/accept", json!({"token": token})).await;
    assert_eq!(accept(&first).await.problem().error, ErrorCode::InvalidLink);
    assert!(!session(&ada).await.user.email_verified);
    assert_eq!(accept(&second).await.data::<Workspace>().role, Role::Editor);
    assert!(session(&ada).await.user.email_verified);
    server.stop().await;
}

async fn two_who_use_a_link_at_once_get_in_once(server: TestServer) {
    let owner = server.member().await;
    let team = workspace(&owner, "Team").await;
    let owner = owner.within(&team);
    let ada = server.sign_up("ada@example.org").await;
    let sent: SentInvitation = invite(&owner, "ada@example.org", Role::Viewer).await.data();
    let answers: [Answer; 3] = tokio::join!(accept(&ada, &sent), accept(&ada, &sent), accept(&ada, &sent)).into();
    let used = answers.iter().filter(|answer| answer.status == StatusCode::OK).count();
    assert_eq!(used, 1);
    for refused in answers.iter().filter(|answer| answer.status != StatusCode::OK) {
        assert_eq!(refused.problem().error, ErrorCode::InvalidLink);
    }
    assert_eq!(owner.get("/api/v1/members").await.data::<Page<Member>>().total, 2);
}

async fn an_old_link_stops_working(server: TestServer) {
    let owner = server.member().await;
    let team = workspace(&owner, "Team").await;
    let owner = owner.within(&team);
    let ada = server.sign_up("ada@example.org").await;
    let first: SentInvitation = invite(&owner, "ada@example.org", Role::Viewer).await.data();
    let path = format!("/api/v1/invitations/{}", first.invitation.id);
    let again: SentInvitation = owner.post_nothing(&format!("{path}/resend")).await.data();
    assert!(again.invitation.expires_at > first.invitation.expires_at);
    assert_eq!(accept(&ada, &first).await.problem().error, ErrorCode::InvalidLink);
    look(&ada, &again).await.data::<InvitationView>();

    server.execute("update invitations set expires_at = created_at").await;
    assert_eq!(accept(&ada, &again).await.problem().error, ErrorCode::InvalidLink);
    let renewed: SentInvitation = owner.post_nothing(&format!("{path}/resend")).await.data();
    assert_eq!(owner.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(accept(&ada, &renewed).await.problem().error, ErrorCode::InvalidLink);
    assert_eq!(owner.delete(&path).await.problem().error, ErrorCode::NotFound);
    let short = ada
        .post("/api/v1/invitations/accept", json!({"token": "abc"}))
        .await
        .problem();
    assert_eq!(short.details[0].path, "token");
}

async fn who_may_invite_whom(server: TestServer) {
    let team = team(&server).await;
    for (who, role, code) in [
        (&team.viewer, Role::Viewer, Some(ErrorCode::Forbidden)),
        (&team.editor, Role::Viewer, Some(ErrorCode::Forbidden)),
        (&team.admin, Role::Admin, Some(ErrorCode::Forbidden)),
        (&team.owner, Role::Owner, Some(ErrorCode::Forbidden)),
        (&team.admin, Role::Editor, None),
    ] {
        let answer = invite(who, "ada@example.org", role).await;
        match code {
            Some(code) => assert_eq!(answer.problem().error, code, "{role:?}"),
            None => assert_eq!(answer.status, StatusCode::CREATED),
        }
    }
    // Nor do they take back what only the owner can give.
    let sent: SentInvitation = invite(&team.owner, "bob@example.org", Role::Admin).await.data();
    let path = format!("/api/v1/invitations/{}", sent.invitation.id);
    assert_eq!(team.admin.delete(&path).await.problem().error, ErrorCode::Forbidden);
    let resent = team.admin.post_nothing(&format!("{path}/resend")).await;
    assert_eq!(resent.problem().error, ErrorCode::Forbidden);
    let personal = invite(&team.owner.anywhere(), "ada@example.org", Role::Viewer).await;
    assert_eq!(personal.problem().error, ErrorCode::Conflict);
    let slip = invite(&team.owner, "nobody", Role::Viewer).await.problem();
    assert_eq!(slip.details[0].path, "email");
}

async fn an_address_is_invited_once(server: TestServer) {
    let owner = server.member().await;
    let team = workspace(&owner, "Team").await;
    let ada = server.sign_up("ada@example.org").await;
    let inside = owner.within(&team);
    let both = tokio::join!(
        invite(&inside, "ada@example.org", Role::Viewer),
        invite(&inside, "ADA@example.org", Role::Viewer)
    );
    let mut statuses = [both.0.status.as_u16(), both.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409]);
    // One that has expired stands in nobody's way.
    server.execute("update invitations set expires_at = created_at").await;
    join(&owner, &team, &ada, Role::Viewer).await;
    let member = invite(&inside, "Ada@example.org", Role::Editor).await.problem();
    assert_eq!(member.error, ErrorCode::Conflict);
}

async fn at_most_a_hundred_wait(server: TestServer) {
    let owner = server.member().await;
    let team = workspace(&owner, "Team").await;
    let owner = owner.within(&team);
    for index in 0..100 {
        let answer = invite(&owner, &format!("friend{index}@example.org"), Role::Viewer).await;
        assert_eq!(answer.status, StatusCode::CREATED);
    }
    let refused = invite(&owner, "one.more@example.org", Role::Viewer).await.problem();
    assert_eq!(refused.error, ErrorCode::Conflict);
}
