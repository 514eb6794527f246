//! What all pages share, and which address shows which page.

use crate::{
    components::toast_list::ToastList,
    events::Events,
    pages::{landing::Landing, missing::Missing, shell::Shell, sign_in::SignIn, sign_up::SignUp},
    session::Session,
    theme::provide_theme,
    toasts::Toasts,
};
use leptos::prelude::*;
use leptos_router::{
    components::{ParentRoute, Route, Router, Routes},
    path,
};

#[component]
pub fn App() -> impl IntoView {
    provide_theme();
    Toasts::provide();
    Session::provide(Events::provide());
    view! {
        <Router>
            <Routes fallback=|| view! { <Missing /> }>
                <Route path=path!("/") view=Landing />
                <Route path=path!("/sign-in") view=SignIn />
                <Route path=path!("/sign-up") view=SignUp />
                <ParentRoute path=path!("") view=Shell>
                    <Route path=path!("/dashboard") view=crate::pages::dashboard::DashboardPage />
                </ParentRoute>
            </Routes>
        </Router>
        <ToastList />
    }
}
