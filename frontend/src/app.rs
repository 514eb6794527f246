//! What all pages share, and which address shows which page.

use crate::{
    components::toast_list::ToastList,
    events::Events,
    facts::Facts,
    pages::{
        agents::{find::AgentPage, wizard::WizardPage},
        batches::find::BatchPage,
        comparisons::{find::ComparisonPage, new::ComparePage},
        dashboard::DashboardPage,
        datasets::{find::DatasetPage, list::DatasetsPage},
        deletions::receipt::ReceiptPage,
        documents::DocumentPage,
        invitation::InvitationPage,
        landing::Landing,
        legal::{Privacy, Terms},
        missing::Missing,
        models::{find::ModelPage, list::ModelsPage},
        outbox::OutboxPage,
        settings::{
            First, Settings, api_keys::ApiKeysPage, audit::AuditPage, data::DataPage,
            language_model::LanguageModelPage, members::MembersPage, notifications::NotificationsPage,
            profile::ProfilePage, provider_keys::ProviderKeysPage, sessions::SessionsPage, templates::TemplatesPage,
            usage::UsagePage, webhooks::WebhooksPage, workspace::WorkspacePage,
        },
        shared::SharedPage,
        shell::Shell,
        studio::StudioPage,
        training::{find::JobPage, list::JobsPage, new::NewJobPage},
        welcome::{
            confirm_email::ConfirmEmail, forgot_password::ForgotPassword, magic_link::MagicLink,
            reset_password::ResetPassword, sign_in::SignIn, sign_up::SignUp, verify_email::VerifyEmail,
        },
    },
    session::Session,
    theme::provide_theme,
    toasts::Toasts,
    transfers::Transfers,
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
    Facts::provide();
    Session::provide(Events::provide());
    Transfers::provide();
    view! {
        <Router>
            <Routes fallback=|| view! { <Missing /> }>
                <Route path=path!("/") view=Landing />
                <Route path=path!("/sign-in") view=SignIn />
                <Route path=path!("/sign-up") view=SignUp />
                <Route path=path!("/forgot-password") view=ForgotPassword />
                <Route path=path!("/magic-link") view=MagicLink />
                <Route path=path!("/reset-password") view=ResetPassword />
                <Route path=path!("/verify-email") view=VerifyEmail />
                <Route path=path!("/confirm-email") view=ConfirmEmail />
                <Route path=path!("/invitation") view=InvitationPage />
                <Route path=path!("/outbox") view=OutboxPage />
                <Route path=path!("/receipts/:id") view=ReceiptPage />
                <Route path=path!("/shared/:token") view=SharedPage />
                <Route path=path!("/privacy") view=Privacy />
                <Route path=path!("/terms") view=Terms />
                <ParentRoute path=path!("") view=Shell>
                    <Route path=path!("/dashboard") view=DashboardPage />
                    <Route path=path!("/assistants/:id") view=AgentPage />
                    <Route path=path!("/assistants/:id/wizard/:step") view=WizardPage />
                    <Route path=path!("/documents/:id") view=DocumentPage />
                    <Route path=path!("/studio") view=StudioPage />
                    <Route path=path!("/batches/:id") view=BatchPage />
                    <Route path=path!("/datasets") view=DatasetsPage />
                    <Route path=path!("/datasets/:id") view=DatasetPage />
                    <Route path=path!("/datasets/:id/train") view=NewJobPage />
                    <Route path=path!("/training") view=JobsPage />
                    <Route path=path!("/training/:id") view=JobPage />
                    <Route path=path!("/models") view=ModelsPage />
                    <Route path=path!("/models/:id") view=ModelPage />
                    <Route path=path!("/models/:id/compare") view=ComparePage />
                    <Route path=path!("/comparisons/:id") view=ComparisonPage />
                    <ParentRoute path=path!("/settings") view=Settings>
                        <Route path=path!("") view=First />
                        <Route path=path!("/profile") view=ProfilePage />
                        <Route path=path!("/notifications") view=NotificationsPage />
                        <Route path=path!("/sessions") view=SessionsPage />
                        <Route path=path!("/workspace") view=WorkspacePage />
                        <Route path=path!("/members") view=MembersPage />
                        <Route path=path!("/api-keys") view=ApiKeysPage />
                        <Route path=path!("/provider-keys") view=ProviderKeysPage />
                        <Route path=path!("/webhooks") view=WebhooksPage />
                        <Route path=path!("/templates") view=TemplatesPage />
                        <Route path=path!("/language-model") view=LanguageModelPage />
                        <Route path=path!("/usage") view=UsagePage />
                        <Route path=path!("/data") view=DataPage />
                        <Route path=path!("/audit") view=AuditPage />
                    </ParentRoute>
                </ParentRoute>
            </Routes>
        </Router>
        <ToastList />
    }
}
