//! One comparison: both answers side by side, and the vote.

use crate::{
    address::Address,
    api::comparisons::{delete_comparison, find_comparison, list_rounds, vote_on_round},
    browser,
    components::{
        button::Button,
        dialog::Confirm,
        icon::Icon,
        loaded::Loaded,
        may::May,
        page_head::{Fact, PageHead, Panel},
        status::ComparisonTag,
        tag::{Colour, Tag},
    },
    forms::Sending,
    pages::{
        by_id::by_id,
        comparisons::judge::{JudgePanel, OfRound},
    },
    remote::Remote,
};
use cerebros_common::{
    comparisons::{Comparison, ComparisonAnswer, ComparisonRound, Contender, NewVote, Vote, Votes},
    events::EventKind,
    ids::ComparisonId,
    workspaces::Role,
};
use leptos::prelude::*;

static CHOICES: [(Vote, &str); 4] = [
    (Vote::Left, "Left is better"),
    (Vote::Tie, "Equally good"),
    (Vote::BothBad, "Both bad"),
    (Vote::Right, "Right is better"),
];

#[component]
pub fn ComparisonPage() -> impl IntoView {
    view! {
        {by_id(|id| view! { <OneComparison id /> })}
    }
}

#[component]
fn OneComparison(id: ComparisonId) -> impl IntoView {
    let concerns =
        move |event: &cerebros_common::events::Event| event.kind == EventKind::ComparisonChanged && event.id == id.0;
    let remote = Remote::new(move || find_comparison(id)).live(concerns);
    let rounds = Remote::new(move || list_rounds(id)).live(concerns);
    view! {
        <Loaded remote let:comparison>
            <Head comparison />
            <div class="space-y-6">
                <VotesPanel comparison />
                <JudgePanel comparison remote />
                <Loaded remote=rounds let:page>
                    <For each=move || page.get().items key=|round| round.id let:first>
                        {
                            let id = first.id;
                            let round = Memo::new(move |_| {
                                page.with(|page| page.items.iter().find(|round| round.id == id).cloned()).unwrap_or_else(|| first.clone())
                            });
                            view! { <Round round comparison rounds /> }
                        }
                    </For>
                </Loaded>
            </div>
        </Loaded>
    }
}

#[component]
fn Head(comparison: Signal<Comparison>) -> impl IntoView {
    let address = Address::of_page();
    let (asking, sending) = (RwSignal::new(false), Sending::new());
    let (id, model) = comparison.with_untracked(|comparison| (comparison.id, comparison.model_id));
    let title = Signal::derive(move || comparison.with(|one| format!("{} and {}", one.model_name, one.against_name)));
    Effect::new(move |_| browser::title(title.get()));
    let parents = Signal::derive(move || {
        let name = comparison.with(|one| one.model_name.clone());
        vec![
            ("Models".to_owned(), "/models".to_owned()),
            (name, format!("/models/{model}")),
            ("Compare".to_owned(), format!("/models/{model}/compare")),
        ]
    });
    let confirmed = Callback::new(move |()| {
        sending.start(delete_comparison(id), move |()| {
            address.leave_for(&format!("/models/{model}/compare"));
        });
    });
    view! {
        <PageHead title parents>
            {move || view! { <ComparisonTag status=comparison.with(|one| one.status) /> }}
            <May role=Role::Editor>
                <button type="button" class="btn" on:click=move |_| asking.set(true)>
                    <Icon icon=icondata::LuTrash2 />
                    "Delete"
                </button>
            </May>
        </PageHead>
        {move || {
            comparison
                .with(|one| one.error.clone())
                .map(|error| {
                    view! {
                        <p role="alert" class="mb-6 rounded-field bg-tint-red p-4 text-ink-red">
                            {error}
                        </p>
                    }
                })
        }}
        <Confirm open=asking title="Delete this comparison?" action="Delete comparison" sending confirmed>
            <p>"Its answers and votes go along. The models stay."</p>
        </Confirm>
    }
}

#[component]
fn VotesPanel(comparison: Signal<Comparison>) -> impl IntoView {
    let neither = |votes: Votes| format!("{} equally good, {} both bad", votes.tie, votes.both_bad);
    let content = move || {
        let one = comparison.get();
        let (votes, all) = (one.votes, one.votes_of_pair);
        let before = (all != votes).then(|| {
            format!(
                "In all comparisons of these two: {} for {}, {} for {}, {}.",
                all.model,
                one.model_name,
                all.against,
                one.against_name,
                neither(all),
            )
        });
        let voted = format!("{} of {}", votes.total(), one.rounds);
        let of_model = format!("{}: {}", one.model_name, votes.model);
        let of_against = format!("{}: {}", one.against_name, votes.against);
        view! {
            <dl class="grid grid-cols-1 gap-4 min-[420px]:grid-cols-2 md:grid-cols-4" aria-live="polite">
                <Fact name="Voted">{voted}</Fact>
                <Fact name="For the model">{of_model}</Fact>
                <Fact name="For the other">{of_against}</Fact>
                <Fact name="For neither">{neither(votes)}</Fact>
            </dl>
            {before.map(|before| view! { <p class="mt-4 text-sm text-muted">{before}</p> })}
        }
    };
    view! {
        <Panel title="Votes">{content}</Panel>
    }
}

#[component]
fn Round(
    round: Memo<ComparisonRound>,
    comparison: Signal<Comparison>,
    rounds: Remote<cerebros_common::wire::Page<ComparisonRound>>,
) -> impl IntoView {
    let sending = Sending::in_toasts();
    let (id, number) = round.with_untracked(|round| (round.id, round.number));
    let name_of = move |left: bool| {
        round.with(|round| round.left_is).map(|left_is| {
            comparison.with(|one| match (left_is, left) {
                (Contender::Model, true) | (Contender::Against, false) => one.model_name.clone(),
                _ => one.against_name.clone(),
            })
        })
    };
    let ready = Memo::new(move |_| round.with(|round| round.left.finished && round.right.finished));
    let vote = Memo::new(move |_| round.with(|round| round.vote));
    let choose = move |vote: Vote| {
        sending.start(vote_on_round(id, NewVote { vote }), move |_| rounds.refetch());
    };
    let buttons = move || {
        CHOICES
            .iter()
            .map(|(choice, text)| {
                let choice = *choice;
                view! {
                    <Button
                        class="btn btn-sm"
                        busy=sending.busy
                        disabled=Signal::derive(move || !ready.get())
                        on_click=Callback::new(move |()| choose(choice))
                    >
                        {*text}
                    </Button>
                }
            })
            .collect_view()
    };
    view! {
        <section class="panel p-4 sm:p-6" aria-label=format!("Prompt {number}")>
            <h2 class="mb-1">{format!("Prompt {number}")}</h2>
            <p class="mb-4 max-w-prose break-words whitespace-pre-wrap">{move || round.with(|round| round.prompt.clone())}</p>
            <div class="grid gap-4 md:grid-cols-2">
                <Side side="Left" answer=Signal::derive(move || round.with(|round| round.left.clone())) name=Signal::derive(move || name_of(true)) better=Signal::derive(move || vote.get() == Some(Vote::Left)) />
                <Side side="Right" answer=Signal::derive(move || round.with(|round| round.right.clone())) name=Signal::derive(move || name_of(false)) better=Signal::derive(move || vote.get() == Some(Vote::Right)) />
            </div>
            <div class="mt-4 flex flex-wrap gap-2" role="group" aria-label=format!("Vote on prompt {number}")>
                {move || match vote.get() {
                    None => view! { <May role=Role::Reviewer>{buttons()}</May> }.into_any(),
                    Some(vote) => {
                        let text = CHOICES.iter().find(|(choice, _)| *choice == vote).map_or("", |(_, text)| *text);
                        view! { <p class="text-sm text-muted">{format!("Voted: {}.", text.to_lowercase())}</p> }.into_any()
                    }
                }}
            </div>
            <OfRound round comparison />
        </section>
    }
}

#[component]
fn Side(
    side: &'static str,
    answer: Signal<ComparisonAnswer>,
    name: Signal<Option<String>>,
    better: Signal<bool>,
) -> impl IntoView {
    view! {
        <div class="min-w-0 rounded-field border border-line p-4" class:border-success=move || better.get()>
            <h3 class="mb-2 flex flex-wrap items-center gap-2 text-sm font-semibold">
                {side}
                {move || name.get().map(|name| view! { <Tag colour=Colour::Purple text=name /> })}
                {move || better.get().then(|| view! { <Tag colour=Colour::Green text="Better" /> })}
            </h3>
            <p class="min-h-12 break-words whitespace-pre-wrap" aria-busy=move || (!answer.get().finished).to_string()>
                {move || {
                    let answer = answer.get();
                    match (answer.text.trim().is_empty(), answer.finished) {
                        (true, true) => view! { <span class="text-muted">"It said nothing."</span> }.into_any(),
                        (true, false) => view! { <span class="text-muted">"Answering …"</span> }.into_any(),
                        (false, _) => answer.text.into_any(),
                    }
                }}
            </p>
        </div>
    }
}
