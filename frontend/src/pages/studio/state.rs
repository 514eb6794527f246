//! What is open in the studio. It stands in the address.

use crate::{
    address::Address,
    api::{concepts::list_concepts, diagrams::draw_diagrams, studies::list_studies},
    components::tag::Colour,
    forms::Sending,
    remote::Remote,
    toasts::Toasts,
};
use cerebros_common::{
    concepts::{Concept, ConceptOrigin, ConceptQuery, Level},
    diagrams::{DrawRequest, Severity},
    events::EventKind,
    ids::{ConceptId, DiagramId, DocumentId},
    studies::{Study, StudyQuery},
    wire::Page,
};
use leptos::prelude::*;

#[derive(Clone, Copy)]
pub struct Studio {
    pub address: Address,
    pub studies: Remote<Page<Study>>,
    pub concepts: Remote<Page<Concept>>,
    pub document: Memo<Option<DocumentId>>,
    pub concept: Memo<Option<ConceptId>>,
    pub diagram: Memo<Option<DiagramId>>,
    pub drawing: Sending,
    toasts: Toasts,
}

impl Studio {
    pub fn new() -> Self {
        let address = Address::of_page();
        let document = Memo::new(move |_| address.word("document"));
        let studies = Remote::new(move || {
            list_studies(StudyQuery {
                search: address.text("name"),
                limit: Some(100),
                ..StudyQuery::default()
            })
        })
        .live(|event| {
            use EventKind::{ConceptsChanged, DiagramChanged, DiagramDeleted, DocumentChanged, DocumentDeleted};
            matches!(
                event.kind,
                ConceptsChanged | DiagramChanged | DiagramDeleted | DocumentChanged | DocumentDeleted
            )
        });
        let concepts = Remote::new(move || {
            list_concepts(ConceptQuery {
                document_id: document.get(),
                limit: Some(100),
                ..ConceptQuery::default()
            })
        })
        .live(|event| matches!(event.kind, EventKind::ConceptsChanged | EventKind::DocumentDeleted));
        Self {
            address,
            studies,
            concepts,
            document,
            concept: Memo::new(move |_| address.word("concept")),
            diagram: Memo::new(move |_| address.word("diagram")),
            drawing: Sending::in_toasts(),
            toasts: Toasts::of_app(),
        }
    }

    /// The chosen document.
    pub fn study(self) -> Option<Study> {
        let chosen = self.document.get()?;
        self.studies
            .with(|page| page.items.iter().find(|study| study.document_id == chosen).cloned())
            .flatten()
    }

    pub fn draw(self, body: DrawRequest) {
        self.drawing.submit(body, draw_diagrams, move |drawing| {
            let count = drawing.ids.len();
            self.toasts.good(if count == 1 {
                "A diagram is being drawn.".to_owned()
            } else {
                format!("{count} diagrams are being drawn.")
            });
            if let [id] = drawing.ids[..] {
                self.address.change(&[("diagram", &id.to_string()), ("edit", "")]);
            }
            self.studies.refetch();
        });
    }
}

pub fn level_name(level: Level) -> &'static str {
    match level {
        Level::Beginner => "Beginner",
        Level::Intermediate => "Intermediate",
        Level::Advanced => "Advanced",
    }
}

pub fn levels() -> Vec<(String, String)> {
    let one = |level: Level| (crate::address::word(&level), level_name(level).to_owned());
    Level::ALL.into_iter().map(one).collect()
}

pub fn severity(severity: Severity) -> (Colour, &'static str) {
    match severity {
        Severity::Critical => (Colour::Red, "Critical"),
        Severity::High => (Colour::Red, "High"),
        Severity::Medium => (Colour::Amber, "Medium"),
        Severity::Low => (Colour::Grey, "Low"),
    }
}

/// How something came about.
pub fn origin(origin: ConceptOrigin, model: Option<&str>) -> String {
    match (origin, model) {
        (ConceptOrigin::Extractive, _) => "Made from the text itself; no language model was used.".to_owned(),
        (ConceptOrigin::LanguageModel, Some(model)) => format!("Written by {model}."),
        (ConceptOrigin::LanguageModel, None) => "Written by a language model.".to_owned(),
        (ConceptOrigin::Manual, _) => "Written by a person.".to_owned(),
    }
}
