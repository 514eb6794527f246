//! The pages of people who are not signed in yet, and of links from mails.

pub mod confirm_email;
pub mod forgot_password;
pub mod magic_link;
pub mod reset_password;
pub mod sign_in;
pub mod sign_up;
pub mod verify_email;

use crate::{
    browser,
    components::{
        brand::Brand, button::Button, error_view::Alert, footer::Footer, icon::Icon, theme_switch::ThemeSwitch,
    },
    facts::Facts,
    forms::Sending,
    links,
    session::{Account, HOME, Session},
};
use cerebros_common::{accounts::LinkToken, errors::ErrorCode};
use leptos::prelude::*;
use leptos_router::{
    NavigateOptions,
    hooks::{use_navigate, use_query_map},
};

/// Where the person was going. Only addresses of this app count.
pub fn use_next() -> Memo<String> {
    let query = use_query_map();
    Memo::new(move |_| links::inside(&query.with(|query| query.get("next")).unwrap_or_default()))
}

/// Signed-in people go straight on.
pub fn skip_if_signed_in(next: Memo<String>) {
    let account = Session::of_app().account();
    let leave = use_leave();
    Effect::new(move |_| {
        if account.with(|account| matches!(account, Account::SignedIn(_))) {
            leave(&next.get_untracked());
        }
    });
}

/// Goes on to another page; the way back leads past this one.
pub fn use_leave() -> impl Fn(&str) + Clone + 'static {
    let navigate = use_navigate();
    move |target| {
        let replace = NavigateOptions {
            replace: true,
            ..NavigateOptions::default()
        };
        navigate(target, replace);
    }
}

/// The address of another of these pages, with the same destination.
pub fn with_next(page: &'static str, next: Memo<String>) -> impl Fn() -> String + Copy {
    move || {
        next.with(|next| {
            if next == HOME {
                page.to_owned()
            } else {
                format!("{page}?next={}", js_sys::encode_uri_component(next))
            }
        })
    }
}

#[component]
pub fn Welcome(#[prop(into)] title: String, text: &'static str, children: Children) -> impl IntoView {
    browser::title(title.clone());
    view! {
        <div class="flex min-h-screen flex-col bg-base-200">
            <header class="flex items-center justify-between p-4 sm:px-8">
                <Brand />
                <ThemeSwitch />
            </header>
            <main class="mx-auto flex w-full max-w-md grow flex-col justify-center px-4 pb-12">
                <div class="panel p-6 sm:p-8">
                    <h1>{title}</h1>
                    <p class="mt-1 mb-6 text-muted">{text}</p>
                    {children()}
                </div>
            </main>
            <Footer />
        </div>
    }
}

/// A page that a mail leads to. `children` get the token; what is sent with it goes through `sending`, and only when the
/// person asks for it: programs that look into mails open links, too. `fresh` leads to a new link.
#[component]
pub fn LinkPage<F, V>(
    title: &'static str,
    text: &'static str,
    sending: Sending,
    /// What is shown once it has worked.
    #[prop(into)]
    done: Signal<Option<&'static str>>,
    #[prop(into)] finished: ViewFn,
    #[prop(into)] fresh: ViewFn,
    children: F,
) -> impl IntoView
where
    F: Fn(LinkToken) -> V + Send + Sync + 'static,
    V: IntoView + 'static,
{
    let token = StoredValue::new(links::take_token());
    // A link of the same kind that is opened in this tab changes only what is behind the `#`.
    let again = window_event_listener(leptos::ev::hashchange, |_| drop(browser::window().location().reload()));
    on_cleanup(move || again.remove());
    let spent = Memo::new(move |_| {
        sending.error.with(|error| {
            let code = error.as_ref().and_then(|error| error.code());
            code == Some(ErrorCode::InvalidLink)
        })
    });
    let problem = move || {
        if token.with_value(Option::is_none) {
            Some("This link is incomplete, or was opened before. Open it from the mail once more.")
        } else {
            spent
                .get()
                .then_some("This link does not work any more: links work once, and for 15 minutes.")
        }
    };
    view! {
        <Welcome title text>
            {move || match (done.get(), problem(), token.get_value()) {
                (Some(done), ..) => {
                    view! {
                        <Note icon=icondata::LuCircleCheck good=true text=done />
                        <div class="mt-6 flex flex-wrap gap-2">{finished.run()}</div>
                    }
                        .into_any()
                }
                (None, None, Some(token)) => {
                    view! {
                        <Alert error=sending.general() />
                        {untrack(|| children(token))}
                    }
                        .into_any()
                }
                (None, problem, _) => {
                    view! {
                        <Note icon=icondata::LuLink2Off text=problem.unwrap_or_default() />
                        <div class="mt-6 flex flex-wrap gap-2">{fresh.run()}</div>
                    }
                        .into_any()
                }
            }}
        </Welcome>
    }
}

/// The one button of a page that a mail leads to.
#[component]
pub fn FollowButton(sending: Sending, action: &'static str, #[prop(into)] follow: Callback<()>) -> impl IntoView {
    view! {
        <Button busy=sending.busy class="btn btn-primary w-full" on_click=follow>
            {action}
        </Button>
    }
}

#[component]
fn Note(icon: icondata::Icon, #[prop(into)] text: Signal<String>, #[prop(optional)] good: bool) -> impl IntoView {
    let colour = if good {
        "bg-tint-green text-ink-green"
    } else {
        "bg-tint-amber text-ink-amber"
    };
    view! {
        <p role="status" class=format!("flex gap-2 rounded-field px-4 py-2 text-sm {colour}")>
            <Icon icon class="mt-0.5 size-4" />
            <span class="min-w-0 break-words">{move || text.get()}</span>
        </p>
    }
}

/// After a mail was asked for. Whether the address has an account is not said.
#[component]
fn Sent(#[prop(into)] email: String) -> impl IntoView {
    let facts = Facts::of_app();
    let text = format!("If {email} has an account here, a link is on its way. It works once, and for 15 minutes.");
    view! {
        <Note icon=icondata::LuMailCheck good=true text />
        <Show when=move || facts.outbox()>
            <a href="/outbox" class="btn mt-4 w-full">
                "Open the outbox"
            </a>
        </Show>
    }
}
