use crate::{
    events,
    helpers::{Answer, Client, DEADLINE, Kind, TestServer, fixture},
    members::{join, member_of, session, team, workspace},
    training::{end_of, ready_dataset, rows, start_job},
};
use cerebros_common::{
    agents::Agent,
    documents::{Document, DocumentStatus},
    errors::ErrorCode,
    events::{Event, EventKind},
    notifications::{Notification, NotificationKind, NotificationPreference, NotificationSubject, UnreadCount},
    wire::CursorPage,
    workspaces::Role,
};
use futures_util::StreamExt;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};

on_both_databases!(
    a_document_tells_whom_it_concerns,
    a_job_tells_how_it_ended,
    notifications_are_read_one_by_one_and_all_at_once,
    a_kind_can_be_turned_off,
    sign_ins_from_new_devices_and_new_passwords_are_told,
    the_newest_five_hundred_are_kept,
    the_stream_tells_of_notifications_from_anywhere,
);

async fn notifications(client: &Client) -> Vec<Notification> {
    client
        .get("/api/v1/notifications")
        .await
        .data::<CursorPage<Notification>>()
        .items
}

async fn unread(client: &Client) -> u64 {
    client
        .get("/api/v1/notifications/unread")
        .await
        .data::<UnreadCount>()
        .unread
}

/// Of what a document gives rise to.
async fn about_documents(client: &Client) -> Vec<Notification> {
    let mut found = notifications(client).await;
    found.retain(|one| one.subject == NotificationSubject::Document);
    found
}

async fn upload(client: &Client, agent: &Agent, name: &str, bytes: Vec<u8>) -> Document {
    let path = format!("/api/v1/documents?agent_id={}&kind=work_product", agent.id);
    let document: Document = client.upload(&path, name, bytes).await.data();
    let path = format!("/api/v1/documents/{}", document.id);
    client
        .wait(&path, |document: &Document| {
            document.status == DocumentStatus::Error || document.examples > 0
        })
        .await
}

async fn a_document_tells_whom_it_concerns(server: TestServer) {
    let team = team(&server).await;
    let agent: Agent = team.editor.post("/api/v1/agents", json!({"name": "A"})).await.data();
    let broken = upload(
        &team.editor,
        &agent,
        "broken.pdf",
        b"%PDF-1.4 and nothing else".to_vec(),
    )
    .await;
    assert_eq!(broken.status, DocumentStatus::Error);
    let name = "remote-work-policy.pdf";
    let good = upload(&team.editor, &agent, name, fixture(name)).await;
    for person in [&team.owner, &team.admin, &team.editor] {
        let [ready, failed] = about_documents(person).await.try_into().unwrap();
        assert_eq!(
            (ready.kind, ready.subject_id),
            (NotificationKind::ExamplesReady, good.id.0)
        );
        assert_eq!(
            (failed.kind, failed.subject_id),
            (NotificationKind::DocumentFailed, broken.id.0)
        );
        assert_eq!(failed.workspace_id, team.workspace.id);
        assert!(failed.title.contains("broken.pdf"), "{}", failed.title);
    }
    assert!(about_documents(&team.viewer).await.is_empty());
    // With a document goes what was said of it.
    let path = format!("/api/v1/documents/{}", broken.id);
    assert_eq!(team.editor.delete(&path).await.status, StatusCode::NO_CONTENT);
    assert_eq!(about_documents(&team.owner).await.len(), 1);
    let path = format!("/api/v1/agents/{}", agent.id);
    assert_eq!(
        team.editor.delete_any_version(&path).await.status,
        StatusCode::NO_CONTENT
    );
    assert!(about_documents(&team.owner).await.is_empty());
}

async fn a_job_tells_how_it_ended(server: TestServer) {
    let member = server.member().await;
    let dataset = ready_dataset(&member, &rows(6)).await;
    let job = end_of(&member, &start_job(&member, &dataset, None, 1).await).await;
    let told = notifications(&member).await;
    assert_eq!(told[0].kind, NotificationKind::JobSucceeded);
    assert_eq!(
        (told[0].subject, told[0].subject_id),
        (NotificationSubject::Job, job.id.0)
    );
}

async fn notifications_are_read_one_by_one_and_all_at_once(server: TestServer) {
    let team = team(&server).await;
    let stranger = server.stranger().await;
    // Four have joined.
    assert_eq!(unread(&team.owner).await, 4);
    let all = notifications(&team.owner).await;
    let path = format!("/api/v1/notifications/{}/read", all[1].id);
    for other in [&team.admin, &stranger] {
        assert_eq!(other.post_nothing(&path).await.problem().error, ErrorCode::NotFound);
    }
    let read: Notification = team.owner.post_nothing(&path).await.data();
    assert!(read.read_at.is_some());
    assert_eq!(team.owner.post_nothing(&path).await.data::<Notification>(), read);
    assert_eq!(unread(&team.owner).await, 3);

    let page = async |query: &str| -> CursorPage<Notification> {
        team.owner.get(&format!("/api/v1/notifications?{query}")).await.data()
    };
    let first = page("unread=true&limit=2").await;
    assert_eq!([first.items[0].id, first.items[1].id], [all[0].id, all[2].id]);
    let rest = page(&format!("unread=true&limit=2&cursor={}", first.next_cursor.unwrap())).await;
    assert_eq!((rest.items.len(), rest.items[0].id), (1, all[3].id));
    assert_eq!(rest.next_cursor, None);

    let left: UnreadCount = team.owner.post_nothing("/api/v1/notifications/read-all").await.data();
    assert_eq!(left.unread, 0);
    assert_ne!(unread(&team.admin).await, 0);
    assert!(notifications(&stranger).await.is_empty());
    let bad = team.owner.get("/api/v1/notifications?cursor=x").await.problem();
    assert_eq!(bad.details[0].path, "cursor");
}

async fn a_kind_can_be_turned_off(server: TestServer) {
    const PATH: &str = "/api/v1/account/notification-preferences";
    let owner = server.member().await;
    let all: Vec<NotificationPreference> = owner.get(PATH).await.data();
    assert_eq!(all.len(), NotificationKind::ALL.len());
    assert!(all.iter().all(|choice| choice.enabled));
    let set = async |kind: &str, enabled: bool| {
        let body = json!({"preferences": [{"kind": kind, "enabled": enabled}]});
        Answer::of(owner.request(Method::PATCH, PATH).json(&body)).await
    };
    let now: Vec<NotificationPreference> = set("member_joined", false).await.data();
    let off: Vec<_> = now.iter().filter(|choice| !choice.enabled).collect();
    assert_eq!((off.len(), off[0].kind), (1, NotificationKind::MemberJoined));

    let team = workspace(&owner, "Team").await;
    let (ada, bob) = (
        server.sign_up("ada@example.org").await,
        server.sign_up("bob@example.org").await,
    );
    join(&owner, &team, &ada, Role::Viewer).await;
    assert_eq!(unread(&owner).await, 0);
    set("member_joined", true).await.data::<Value>();
    join(&owner, &team, &bob, Role::Viewer).await;
    assert_eq!(unread(&owner).await, 1);
    for kind in ["new_sign_in", "credentials_changed"] {
        assert_eq!(set(kind, false).await.problem().error, ErrorCode::Conflict);
    }
}

async fn sign_ins_from_new_devices_and_new_passwords_are_told(server: TestServer) {
    let member = server.member().await;
    let sign_in = async |browser: &str| {
        let body = json!({"email": "member@example.org", "password": "correct horse battery"});
        let request = server.anonymous().request(Method::POST, "/api/v1/auth/sign-in");
        let answer = Answer::of(request.header("user-agent", browser).json(&body)).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
        answer.session_cookie()
    };
    let firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:132.0) Gecko/20100101 Firefox/132.0";
    assert!(notifications(&member).await.is_empty());
    let cookie = sign_in(firefox).await;
    let told = notifications(&member).await;
    assert_eq!((told.len(), told[0].kind), (1, NotificationKind::NewSignIn));
    assert!(told[0].title.contains("Firefox on Linux"), "{}", told[0].title);
    // A newer version of it, and the same after signing out, are nothing new.
    sign_in(&firefox.replace("132", "133")).await;
    let there = member.with_cookie(cookie);
    assert_eq!(
        there.post_nothing("/api/v1/auth/sign-out").await.status,
        StatusCode::NO_CONTENT
    );
    sign_in(firefox).await;
    assert_eq!(notifications(&member).await.len(), 1);

    let change = json!({"current_password": "correct horse battery", "new_password": "another long password"});
    let answer = member.post("/api/v1/account/password", change).await;
    let member = member.with_cookie(answer.session_cookie());
    assert_eq!(
        notifications(&member).await[0].kind,
        NotificationKind::CredentialsChanged
    );
}

async fn change_role(team: &crate::members::Team, role: Role) {
    let member = member_of(&team.owner, &team.viewer).await;
    let path = format!("/api/v1/members/{}", member.user_id);
    let answer = team.owner.patch(&path, member.version, json!({"role": role})).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text);
}

async fn the_newest_five_hundred_are_kept(server: TestServer) {
    let team = team(&server).await;
    change_role(&team, Role::Reviewer).await;
    // Ids that sort before all that were made by the server.
    let id = match server.kind {
        Kind::Sqlite => "cast(zeroblob(4) || randomblob(12) as blob)",
        Kind::Postgres => "('00000000' || substr(gen_random_uuid()::text, 9))::uuid",
    };
    server
        .execute(&format!(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 510) \
             insert into notifications (id, user_id, workspace_id, kind, title, subject, subject_id, created_at) \
             select {id}, user_id, workspace_id, kind, 'old', subject, subject_id, created_at \
             from notifications cross join n where kind = 'membership_changed'"
        ))
        .await;
    assert_eq!(
        server
            .number("select count(*) from notifications where title = 'old'")
            .await,
        510
    );
    change_role(&team, Role::Editor).await;
    assert_eq!(
        server
            .number("select count(*) from notifications where title = 'old'")
            .await,
        498
    );
    let newest = notifications(&team.viewer).await;
    assert!(newest[0].title.contains("editor") && newest[1].title.contains("reviewer"));
}

async fn the_stream_tells_of_notifications_from_anywhere(server: TestServer) {
    let team = team(&server).await;
    // On PostgreSQL the reader is at another server than who makes the change.
    let replica = match server.kind {
        Kind::Postgres => Some(server.replica().await),
        Kind::Sqlite => None,
    };
    let reader = team.viewer.anywhere();
    let reader = replica
        .as_ref()
        .map_or(reader.clone(), |replica| reader.at_running(replica));
    let response = reader
        .request(Method::GET, "/api/v1/events?after=0")
        .send()
        .await
        .unwrap();
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    let mut next = async || -> String {
        loop {
            if let Some((message, rest)) = text.split_once("\n\n") {
                let message = message.to_owned();
                text = rest.to_owned();
                if message.contains("data:") {
                    return message;
                }
                continue;
            }
            let part = tokio::time::timeout(DEADLINE, stream.next())
                .await
                .unwrap()
                .unwrap()
                .unwrap();
            text.push_str(std::str::from_utf8(&part).unwrap());
        }
    };
    change_role(&team, Role::Reviewer).await;
    let message = next().await;
    assert!(!message.contains("id: "), "{message}");
    let event: Event = serde_json::from_str(message.split_once("data: ").unwrap().1).unwrap();
    assert_eq!(event.kind, EventKind::NotificationsChanged);
    let newest = notifications(&team.viewer).await;
    assert_eq!(event.id, newest[0].id.0);

    team.viewer
        .post_nothing("/api/v1/notifications/read-all")
        .await
        .data::<UnreadCount>();
    let event: Event = serde_json::from_str(next().await.split_once("data: ").unwrap().1).unwrap();
    assert_eq!(event.kind, EventKind::NotificationsChanged);

    // Another person in the same workspace hears nothing of it.
    let owner = session(&team.owner).await;
    assert_ne!(owner.user.id, session(&team.viewer).await.user.id);
    let seen = events::read(&team.owner, Some(0), 1).await;
    assert_ne!(seen[0].kind, EventKind::NotificationsChanged);
    drop(stream);
    if let Some(replica) = replica {
        replica.stop().await;
    }
}
