//! The picture of a person, or the initials.

use leptos::prelude::*;

/// It stands beside the name, so screen readers skip it.
#[component]
pub fn Avatar(
    #[prop(into)] name: Signal<String>,
    #[prop(into)] url: Signal<Option<String>>,
    #[prop(default = "size-8 text-sm")] class: &'static str,
) -> impl IntoView {
    view! {
        {move || match url.get() {
            Some(url) => view! { <img src=url alt="" class=format!("shrink-0 rounded-full border border-line object-cover {class}") /> }.into_any(),
            None => {
                view! {
                    <span
                        aria-hidden="true"
                        class=format!("inline-flex shrink-0 items-center justify-center rounded-full bg-tint-purple font-medium text-ink-purple {class}")
                    >
                        {initials(&name.get())}
                    </span>
                }
                    .into_any()
            }
        }}
    }
}

/// Of the first and the last word.
fn initials(name: &str) -> String {
    let words: Vec<char> = name.split_whitespace().filter_map(|word| word.chars().next()).collect();
    let chosen = match words.as_slice() {
        [] => vec!['?'],
        [only] => vec![*only],
        [first, .., last] => vec![*first, *last],
    };
    chosen.into_iter().flat_map(char::to_uppercase).collect()
}

#[cfg(test)]
mod tests {
    use super::initials;

    #[test]
    fn initials_are_of_the_first_and_last_word() {
        let cases = ["Ada Lovelace", "ada", "Jean le Rond d'Alembert", "  ", "Émile Zola"];
        assert_eq!(cases.map(initials), ["AL", "A", "JD", "?", "ÉZ"]);
    }
}
