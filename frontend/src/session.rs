//! Who is signed in, and in which workspace.

use crate::{api, browser, events::Events, toasts, transfers};
use api::{Answer, ApiError};
use cerebros_common::{
    accounts,
    errors::ErrorCode,
    events::EventKind,
    ids::WorkspaceId,
    workspaces::{Role, Workspace},
};
use leptos::{prelude::*, task::spawn_local};
use std::time::Duration;
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

const CHANNEL: &str = "cerebros-session";
/// Where the browser remembers the workspace: each tab its own, and a new tab the one that was chosen last.
const WORKSPACE: &str = "workspace";
const QUIET: Duration = Duration::from_millis(300);

pub const HOME: &str = "/dashboard";

#[derive(Clone, PartialEq)]
pub enum Account {
    /// Not known yet.
    Asking,
    Unreachable(ApiError),
    SignedOut,
    SignedIn(accounts::Session),
}

#[derive(Clone, Copy)]
pub struct Session {
    account: RwSignal<Account>,
    /// It stays the same until the page is loaded anew.
    workspace: StoredValue<Option<WorkspaceId>>,
    events: Events,
    /// Tells the other tabs to ask again.
    channel: StoredValue<Option<BroadcastChannel>, LocalStorage>,
}

impl Session {
    /// Asks the server, and provides the answer to all components.
    pub fn provide(events: Events) -> Self {
        let session = Self {
            account: RwSignal::new(Account::Asking),
            workspace: StoredValue::new(None),
            events,
            channel: StoredValue::new_local(BroadcastChannel::new(CHANNEL).ok()),
        };
        let over = window_event_listener_untyped(api::SIGNED_OUT, move |_| session.leave());
        on_cleanup(move || over.remove());
        let again = browser::settled(QUIET, move || session.ask());
        let doubt = {
            let again = again.clone();
            window_event_listener_untyped(api::NOT_FOUND, move |_| {
                if session.user().is_some() {
                    again();
                }
            })
        };
        on_cleanup(move || doubt.remove());
        events.on(
            |event| matches!(event.kind, EventKind::WorkspaceChanged | EventKind::MembersChanged),
            move |_| again(),
        );
        session.listen();
        session.ask();
        provide_context(session);
        session
    }

    pub fn of_app() -> Self {
        expect_context()
    }

    pub fn account(self) -> Signal<Account> {
        self.account.into()
    }

    fn signed_in<T>(self, read: impl FnOnce(&accounts::Session) -> T) -> Option<T> {
        self.account.with(|account| match account {
            Account::SignedIn(session) => Some(read(session)),
            Account::Asking | Account::Unreachable(_) | Account::SignedOut => None,
        })
    }

    pub fn user(self) -> Option<accounts::User> {
        self.signed_in(|session| session.user.clone())
    }

    pub fn workspaces(self) -> Vec<Workspace> {
        self.signed_in(|session| session.workspaces.clone()).unwrap_or_default()
    }

    /// The workspace that this tab shows.
    pub fn workspace(self) -> Option<Workspace> {
        let id = self.workspace.get_value();
        self.signed_in(|session| session.workspaces.iter().find(|known| Some(known.id) == id).cloned())
            .flatten()
    }

    pub fn role(self) -> Option<Role> {
        self.workspace().map(|workspace| workspace.role)
    }

    /// Whether the role in this workspace allows what takes `least`.
    pub fn may(self, least: Role) -> bool {
        self.role() >= Some(least)
    }

    pub fn ask(self) {
        spawn_local(async move {
            match api::accounts::find_session().await {
                Ok(session) => self.enter(session),
                Err(error) if error.code() == Some(ErrorCode::Unauthenticated) => self.leave(),
                // What is known already stays until the server says otherwise.
                Err(_) if untrack(|| self.user().is_some()) => {}
                Err(error) => self.account.set(Account::Unreachable(error)),
            }
        });
    }

    /// After signing up or in, in this tab.
    pub fn begin(self, session: accounts::Session) {
        self.enter(session);
        self.tell_others();
    }

    pub async fn sign_out(self) -> Answer<()> {
        api::accounts::sign_out().await?;
        // Others may use this browser next.
        transfers::forget_files().await;
        self.leave();
        self.tell_others();
        Ok(())
    }

    /// Shows `target` in another workspace. Everything is loaded anew, so nothing of this one is left.
    pub fn switch(self, id: WorkspaceId, target: &str) {
        let text = id.to_string();
        browser::remember(browser::tab_storage(), WORKSPACE, Some(&text));
        browser::remember(browser::storage(), WORKSPACE, Some(&text));
        browser::load(target);
    }

    fn enter(self, session: accounts::Session) {
        let before = untrack(|| self.user());
        if before.is_some_and(|user| user.id != session.user.id) {
            // Another person signed in in another tab.
            return browser::load(HOME);
        }
        let knows = |id: &WorkspaceId| session.workspaces.iter().any(|known| known.id == *id);
        if let Some(id) = self.workspace.get_value() {
            if !knows(&id) {
                return self.fall_back(&session);
            }
        } else {
            let recall = |storage| {
                browser::recall(storage, WORKSPACE)
                    .and_then(|id| id.parse().ok())
                    .filter(knows)
            };
            let id = recall(browser::tab_storage())
                .or_else(|| recall(browser::storage()))
                .or_else(|| personal(&session));
            self.workspace.set_value(id);
            api::set_workspace(id);
            let text = id.map(|id| id.to_string());
            browser::remember(browser::tab_storage(), WORKSPACE, text.as_deref());
        }
        let fresh = Account::SignedIn(session);
        if self.account.with_untracked(|account| *account != fresh) {
            self.account.set(fresh);
        }
        if let Some(id) = self.workspace.get_value() {
            self.events.start(id);
        }
    }

    /// The workspace was deleted, or the person is no longer a member.
    fn fall_back(self, session: &accounts::Session) {
        toasts::after_loading("That workspace is no longer open to you. This is your personal one.");
        if let Some(id) = personal(session) {
            self.switch(id, HOME);
        }
    }

    fn leave(self) {
        self.events.stop();
        self.workspace.set_value(None);
        api::set_workspace(None);
        if self.account.with_untracked(|account| *account != Account::SignedOut) {
            self.account.set(Account::SignedOut);
        }
    }

    fn listen(self) {
        self.channel.with_value(|channel| {
            if let Some(channel) = channel {
                let heard = Closure::<dyn FnMut(MessageEvent)>::new(move |_: MessageEvent| self.ask()).into_js_value();
                channel.set_onmessage(Some(heard.unchecked_ref()));
            }
        });
    }

    fn tell_others(self) {
        self.channel.with_value(|channel| {
            if let Some(channel) = channel {
                // Fails only on a closed channel, and this one is never closed.
                drop(channel.post_message(&"changed".into()));
            }
        });
    }
}

fn personal(session: &accounts::Session) -> Option<WorkspaceId> {
    let found = session.workspaces.iter().find(|known| known.personal);
    found.or(session.workspaces.first()).map(|known| known.id)
}
