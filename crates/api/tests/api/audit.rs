use crate::helpers::{Client, TestServer};
use cerebros_api::{Parts, admin::verify_audit};
use cerebros_common::{
    accounts::Session,
    agents::Agent,
    audit::{Action, ActorKind, AuditEntry, Noun},
    errors::ErrorCode,
    wire::CursorPage,
};
use cerebros_db::{Actor, AuditKeys, Db, DbError, DbOptions, Scope};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use reqwest::StatusCode;
use sea_orm::{ConnectionTrait, Database, DatabaseConnection, Statement, Value};
use serde_json::json;
use uuid::Uuid;

on_both_databases!(
    changes_are_noted_with_the_names_of_their_fields_alone,
    the_log_is_filtered_and_read_on,
    only_admins_read_the_log,
    a_change_that_nobody_notes_is_refused,
    every_edit_of_the_log_is_found,
    what_is_written_after_an_edit_does_not_hide_it,
    a_database_takes_only_the_keys_that_it_knows,
);

async fn entries(client: &Client, query: &str) -> Vec<AuditEntry> {
    let page: CursorPage<AuditEntry> = client.get(&format!("/api/v1/audit?limit=100{query}")).await.data();
    page.items
}

async fn session(client: &Client) -> Session {
    client.get("/api/v1/auth/session").await.data()
}

/// Some entries by a person.
async fn busy(client: &Client, count: usize) -> Agent {
    let agent: Agent = client.post("/api/v1/agents", json!({"name": "Watched"})).await.data();
    for version in 1..count {
        let path = format!("/api/v1/agents/{}", agent.id);
        let patch = json!({"description": format!("secret text {version}")});
        let changed = client.patch(&path, version.try_into().unwrap(), patch).await;
        assert_eq!(changed.status, StatusCode::OK, "{}", changed.text);
    }
    agent
}

async fn changes_are_noted_with_the_names_of_their_fields_alone(server: TestServer) {
    let member = server.member().await;
    let session = session(&member).await;
    let agent = busy(&member, 3).await;
    let found = entries(&member, "").await;
    let newest = &found[0];
    assert_eq!((newest.action, newest.noun), (Action::Updated, Noun::Agent));
    assert_eq!(newest.subject_id, agent.id.0);
    assert_eq!(newest.fields, ["description"]);
    assert_eq!(newest.actor_kind, ActorKind::User);
    assert_eq!(newest.actor_id, Some(session.user.id.0));
    let kinds: Vec<_> = found.iter().rev().map(|entry| (entry.action, entry.noun)).collect();
    assert_eq!(
        kinds[..4],
        [
            (Action::Created, Noun::Account),
            (Action::Created, Noun::Workspace),
            (Action::SignedIn, Noun::Session),
            (Action::Created, Noun::Agent),
        ]
    );
    let numbers: Vec<i64> = found.iter().rev().map(|entry| entry.seq).collect();
    assert_eq!(numbers, (1..=found.len() as i64).collect::<Vec<_>>());
    let database = Database::connect(&server.config.database_url).await.unwrap();
    for row in dump(&database).await.rows {
        let text = format!("{row:?}");
        assert!(
            ["secret text", "Watched", "member@", "Somebody"]
                .iter()
                .all(|value| !text.contains(value)),
            "{text}"
        );
    }
}

async fn the_log_is_filtered_and_read_on(server: TestServer) {
    let member = server.member().await;
    let agent = busy(&member, 2).await;
    let id = session(&member).await.user.id;
    member.delete_any_version(&format!("/api/v1/agents/{}", agent.id)).await;
    assert_eq!(entries(&member, "&noun=agent").await.len(), 3);
    assert_eq!(entries(&member, "&noun=agent&action=deleted").await.len(), 1);
    assert_eq!(entries(&member, &format!("&subject_id={}", agent.id)).await.len(), 3);
    assert_eq!(entries(&member, &format!("&actor={}", agent.id)).await.len(), 0);
    let all = entries(&member, &format!("&actor={id}")).await;
    assert_eq!(all.len(), 7);
    let at = all[1].at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true);
    assert!(
        entries(&member, &format!("&from={at}"))
            .await
            .iter()
            .all(|entry| entry.at >= all[1].at)
    );
    assert!(
        entries(&member, &format!("&to={at}"))
            .await
            .iter()
            .all(|entry| entry.at < all[1].at)
    );
    let (mut read, mut cursor) = (Vec::new(), String::new());
    loop {
        let page: CursorPage<AuditEntry> = member.get(&format!("/api/v1/audit?limit=2{cursor}")).await.data();
        read.extend(page.items);
        let Some(next) = page.next_cursor else { break };
        cursor = format!("&cursor={next}");
    }
    assert_eq!(read, all);
    for query in ["cursor=x", "action=stolen", "from=yesterday", "limit=0"] {
        let problem = member.get(&format!("/api/v1/audit?{query}")).await.problem();
        assert_eq!(problem.error, ErrorCode::InvalidRequest, "{query}");
    }
    let stranger = server.stranger().await;
    assert_eq!(entries(&stranger, &format!("&subject_id={}", agent.id)).await, []);
}

async fn only_admins_read_the_log(server: TestServer) {
    let member = server.member().await;
    for (role, status) in [
        ("viewer", 403),
        ("reviewer", 403),
        ("editor", 403),
        ("admin", 200),
        ("owner", 200),
    ] {
        server.execute(&format!("update members set role = '{role}'")).await;
        assert_eq!(member.get("/api/v1/audit").await.status, status, "{role}");
    }
}

async fn a_change_that_nobody_notes_is_refused(server: TestServer) {
    let member = server.member().await;
    let session = session(&member).await;
    let options = DbOptions {
        url: server.config.database_url.clone(),
        max_connections: 1,
        audit_keys: AuditKeys::new(vec![("00000000".to_owned(), [0; 32])]),
    };
    let db = Db::connect(&options).await.unwrap();
    let scope = Scope {
        workspace_id: session.workspaces[0].id,
        actor: Actor::User(session.user.id),
    };
    let write = db.write(&scope).await.unwrap();
    assert!(matches!(write.commit().await, Err(DbError::Fault(_))));
    let write = db.write(&Scope::system(scope.workspace_id)).await.unwrap();
    write.commit().await.unwrap();
}

async fn faults(server: &TestServer) -> String {
    let mut out = Vec::new();
    let result = verify_audit(&server.config, &mut out).await;
    let text = String::from_utf8(out).unwrap();
    assert_eq!(result.is_err(), text.contains("workspace "), "{text}");
    if result.is_err() { text } else { String::new() }
}

const COLUMNS: [&str; 11] = [
    "workspace_id",
    "seq",
    "at",
    "actor_kind",
    "actor_id",
    "action",
    "noun",
    "subject_id",
    "fields",
    "key_id",
    "mac",
];
const HEAD_COLUMNS: [&str; 5] = ["workspace_id", "seq", "mac", "key_id", "own_mac"];

/// Both tables as they are.
#[derive(Clone)]
struct Dump {
    rows: Vec<Vec<Value>>,
    heads: Vec<Vec<Value>>,
}

async fn dump(database: &DatabaseConnection) -> Dump {
    Dump {
        rows: read(database, "audit", &COLUMNS).await,
        heads: read(database, "audit_heads", &HEAD_COLUMNS).await,
    }
}

async fn read(database: &DatabaseConnection, table: &str, columns: &[&str]) -> Vec<Vec<Value>> {
    let sql = format!("select * from {table} order by workspace_id, seq");
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let rows = database.query_all_raw(statement).await.unwrap();
    let value = |row: &sea_orm::QueryResult, column: &&str| match *column {
        "seq" | "at" => row.try_get::<i64>("", column).unwrap().into(),
        "workspace_id" | "actor_id" | "subject_id" => row.try_get::<Option<Uuid>>("", column).unwrap().into(),
        _ => row.try_get::<String>("", column).unwrap().into(),
    };
    rows.iter()
        .map(|row| columns.iter().map(|column| value(row, column)).collect())
        .collect()
}

async fn write(database: &DatabaseConnection, dump: &Dump) {
    database.execute_unprepared("delete from audit").await.unwrap();
    database.execute_unprepared("delete from audit_heads").await.unwrap();
    for (table, rows) in [("audit", &dump.rows), ("audit_heads", &dump.heads)] {
        for row in rows {
            let marks: Vec<String> = (1..=row.len()).map(|index| format!("${index}")).collect();
            let sql = format!("insert into {table} values ({})", marks.join(", "));
            let backend = database.get_database_backend();
            let statement = Statement::from_sql_and_values(backend, sql, row.clone());
            database.execute_raw(statement).await.unwrap();
        }
    }
}

/// Another value of the same type.
fn another(value: &Value, random: &mut StdRng) -> Value {
    match value {
        Value::BigInt(Some(number)) => {
            (number + random.random_range(1..5) * if random.random() { 1 } else { -1 }).into()
        }
        Value::String(Some(text)) => {
            let mut bytes = text.clone().into_bytes();
            match random.random_range(0..3) {
                0 => bytes.push(b'x'),
                1 if bytes.len() > 1 => drop(bytes.pop()),
                _ if !bytes.is_empty() => {
                    let at = random.random_range(0..bytes.len());
                    bytes[at] = if bytes[at] == b'y' { b'z' } else { b'y' };
                }
                _ => bytes.push(b'y'),
            }
            String::from_utf8(bytes).unwrap().into()
        }
        _ => Uuid::from_u128(random.random()).into(),
    }
}

/// Changes a dump in one way; tells which.
fn edit(dump: &mut Dump, random: &mut StdRng) -> String {
    let at = random.random_range(0..dump.rows.len());
    let head = random.random_range(0..dump.heads.len());
    match random.random_range(0..9) {
        0 => {
            dump.rows.remove(at);
            format!("entry {at} deleted")
        }
        1 => {
            let mut copy = dump.rows[at].clone();
            let chain = dump.rows.iter().filter(|row| row[0] == copy[0]).count() as i64;
            copy[1] = [chain + 1, 0, -7][random.random_range(0..3)].into();
            dump.rows.push(copy);
            format!("entry {at} inserted again")
        }
        2 => {
            // The same place in the chain, the contents of another entry.
            let other = (at + 1 + random.random_range(0..dump.rows.len() - 1)) % dump.rows.len();
            let (first, second) = (dump.rows[at].clone(), dump.rows[other].clone());
            dump.rows[at][2..].clone_from_slice(&second[2..]);
            dump.rows[other][2..].clone_from_slice(&first[2..]);
            format!("entries {at} and {other} swapped")
        }
        3 => {
            // The newest entries go, and the head says that it was always so.
            let chain = dump.heads[head][0].clone();
            let rows: Vec<usize> = (0..dump.rows.len()).filter(|at| dump.rows[*at][0] == chain).collect();
            let keep = random.random_range(0..rows.len());
            let end = keep.checked_sub(1).map(|at| dump.rows[rows[at]].clone());
            dump.heads[head][1] = (keep as i64).into();
            dump.heads[head][2] = end.map_or("".into(), |row| row[10].clone());
            for at in rows[keep..].iter().rev() {
                dump.rows.remove(*at);
            }
            format!("chain {head} cut off after {keep}")
        }
        4 => {
            let chain = dump.heads.remove(head)[0].clone();
            if random.random() {
                dump.rows.retain(|row| row[0] != chain);
                return format!("chain {head} removed");
            }
            format!("head {head} removed")
        }
        5 => {
            let (rows, heads) = (&mut dump.rows, &mut dump.heads);
            if random.random() {
                rows.clear();
                heads.clear();
            } else {
                rows.clear();
            }
            "everything removed".to_owned()
        }
        6 => {
            let column = random.random_range(0..HEAD_COLUMNS.len());
            dump.heads[head][column] = another(&dump.heads[head][column], random);
            format!("{} of head {head} changed", HEAD_COLUMNS[column])
        }
        _ => {
            let column = random.random_range(0..COLUMNS.len());
            dump.rows[at][column] = match &dump.rows[at][column] {
                Value::Uuid(Some(_)) if COLUMNS[column] == "actor_id" && random.random() => Value::Uuid(None),
                value => another(value, random),
            };
            format!("{} of entry {at} changed", COLUMNS[column])
        }
    }
}

async fn every_edit_of_the_log_is_found(server: TestServer) {
    let count = std::env::var("AUDIT_EDITS").map_or(60, |count| count.parse().unwrap());
    for client in [server.member().await, server.stranger().await] {
        busy(&client, 6).await;
    }
    server.stop().await;
    assert_eq!(faults(&server).await, "");
    let database = Database::connect(&server.config.database_url).await.unwrap();
    let original = dump(&database).await;
    let mut random = StdRng::seed_from_u64(7);
    let mut round = 0;
    while round < count {
        let mut edited = original.clone();
        let what = edit(&mut edited, &mut random);
        if (&edited.rows, &edited.heads) == (&original.rows, &original.heads) {
            continue;
        }
        // A number that is taken cannot be written twice.
        let mut places: Vec<String> = edited.rows.iter().map(|row| format!("{:?}", &row[..2])).collect();
        places.sort();
        places.dedup();
        if places.len() < edited.rows.len() {
            continue;
        }
        round += 1;
        write(&database, &edited).await;
        assert_ne!(faults(&server).await, "", "round {round}: {what} was not found");
    }
    write(&database, &original).await;
    assert_eq!(faults(&server).await, "");
}

async fn what_is_written_after_an_edit_does_not_hide_it(server: TestServer) {
    let member = server.member().await;
    busy(&member, 4).await;
    let database = Database::connect(&server.config.database_url).await.unwrap();
    let original = dump(&database).await;
    let workspace = Value::from(session(&member).await.workspaces[0].id.0);
    let of_member = |row: &Vec<Value>| row[0] == workspace;
    // The last entry goes and the head steps back; the head alone goes; the whole log goes.
    let mut stepped_back = original.clone();
    let last = stepped_back.rows.iter().rposition(of_member).unwrap();
    let removed = stepped_back.rows.remove(last);
    let head = stepped_back.heads.iter_mut().find(|head| of_member(head)).unwrap();
    let Value::BigInt(Some(seq)) = removed[1] else { panic!() };
    head[1] = (seq - 1).into();
    head[2] = original.rows[last - 1][10].clone();
    let mut headless = original.clone();
    headless.heads.retain(|head| !of_member(head));
    let mut gone = headless.clone();
    gone.rows.retain(|row| !of_member(row));
    for edited in [stepped_back, headless, gone] {
        write(&database, &edited).await;
        busy(&member, 2).await;
        assert_ne!(faults(&server).await, "");
        write(&database, &original).await;
        assert_eq!(faults(&server).await, "");
    }
}

async fn a_database_takes_only_the_keys_that_it_knows(server: TestServer) {
    let (first, second) = ("11".repeat(32), "22".repeat(32));
    let keyed = TestServer::start_with(server.kind, |config| config.secret_keys = Some(first.parse().unwrap())).await;
    keyed.stop().await;
    let with = |keys: &str| {
        let mut config = keyed.config.clone();
        config.secret_keys = Some(keys.parse().unwrap());
        cerebros_api::start(config, Parts::Work)
    };
    let refused = with(&second).await.map(|_| ()).unwrap_err().to_string();
    assert!(refused.contains("Add it to SECRET_KEY"), "{refused}");
    // A new key in front of the old one is taken, and from then on needed.
    with(&format!("{second},{first}")).await.unwrap().stop().await;
    assert!(with(&first).await.is_err());
    let mut config = keyed.config.clone();
    config.secret_keys = None;
    let refused = cerebros_api::start(config, Parts::Work).await.map(|_| ()).unwrap_err();
    assert!(refused.to_string().contains("secret.key"), "{refused}");
}
