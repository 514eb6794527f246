//! Who is signed in.

use crate::{api, events::Events};
use api::{Answer, ApiError};
use cerebros_common::{accounts, errors::ErrorCode};
use leptos::{prelude::*, task::spawn_local};
use wasm_bindgen::{JsCast, closure::Closure};
use web_sys::{BroadcastChannel, MessageEvent};

const CHANNEL: &str = "cerebros-session";

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
    events: Events,
    /// Tells the other tabs to ask again.
    channel: StoredValue<Option<BroadcastChannel>, LocalStorage>,
}

impl Session {
    /// Asks the server, and provides the answer to all components.
    pub fn provide(events: Events) -> Self {
        let session = Self {
            account: RwSignal::new(Account::Asking),
            events,
            channel: StoredValue::new_local(BroadcastChannel::new(CHANNEL).ok()),
        };
        let over = window_event_listener_untyped(api::SIGNED_OUT, move |_| session.leave());
        on_cleanup(move || over.remove());
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

    pub fn user(self) -> Option<accounts::User> {
        self.account.with(|account| match account {
            Account::SignedIn(session) => Some(session.user.clone()),
            Account::Asking | Account::Unreachable(_) | Account::SignedOut => None,
        })
    }

    pub fn ask(self) {
        spawn_local(async move {
            match api::accounts::find_session().await {
                Ok(session) => self.enter(session),
                Err(error) if error.code() == Some(ErrorCode::Unauthenticated) => self.leave(),
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
        self.leave();
        self.tell_others();
        Ok(())
    }

    fn enter(self, session: accounts::Session) {
        self.account.set(Account::SignedIn(session));
        self.events.start();
    }

    fn leave(self) {
        self.events.stop();
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
