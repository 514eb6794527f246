//! The model card: what is known of a model, as Markdown. What only a person knows is left to write.

use cerebros_common::{
    jobs::RateSchedule,
    models::{Lineage, Quality},
};
use std::fmt::Write as _;

/// Of the base, as its directory or the hub has it.
pub fn card(lineage: &Lineage) -> String {
    let Lineage {
        model,
        job,
        dataset,
        base,
        ..
    } = lineage;
    let parameters = &job.parameters;
    let mut card = String::new();
    let license = base.license.as_deref().map(plain);
    card.push_str("---\n");
    line(&mut card, &format!("base_model: {}", quoted(&base.name)));
    if let Some(license) = &license {
        line(&mut card, &format!("license: {}", quoted(license)));
    }
    card.push_str("library_name: peft\npipeline_tag: text-generation\ntags:\n- lora\n---\n\n");
    line(&mut card, &format!("# {}\n", plain(&model.name)));
    line(
        &mut card,
        &format!(
            "A LoRA adapter for {}, trained with Cerebros on {}.\n",
            plain(&base.name),
            model.created_at.format("%-d %B %Y")
        ),
    );
    card.push_str("## Intended use\n\nNot written yet. Say who should use this model for what, and what it must not be used for.\n\n");

    card.push_str("## Training\n\n| | |\n|---|---|\n");
    let mut row = |name: &str, value: &str| line(&mut card, &format!("| {name} | {value} |"));
    row("Base", &plain(&base.name));
    row(
        "License of the base",
        license.as_deref().unwrap_or("not stated by the base"),
    );
    row("Dataset", &plain(&model.dataset_name));
    row(
        "SHA-256 of the dataset",
        &hash(dataset.as_ref().and_then(|dataset| dataset.sha256.as_deref())),
    );
    if let Some(plan) = &job.plan {
        row(
            "Rows",
            &format!("{} to learn from, {} kept apart", plan.train_rows, plan.validation_rows),
        );
        row(
            "Tokens",
            &format!("{}, of which {} were learned", plan.train_tokens, plan.trainable_tokens),
        );
        row("Device", &plain(&plan.device));
    }
    let stabilized = if parameters.rank_stabilized {
        ", rank stabilized"
    } else {
        ""
    };
    row(
        "Rank, alpha, dropout",
        &format!(
            "{}, {}, {}{stabilized}",
            parameters.rank, parameters.alpha, parameters.dropout
        ),
    );
    let schedule = match parameters.schedule {
        RateSchedule::Constant => "constant",
        RateSchedule::Linear => "linear",
        RateSchedule::Cosine => "cosine",
    };
    row("Learning rate", &format!("{}, {schedule}", parameters.learning_rate));
    row(
        "Epochs, batch",
        &format!(
            "{}, {} × {}",
            parameters.epochs, parameters.batch_size, parameters.gradient_accumulation_steps
        ),
    );
    row("Longest row", &format!("{} tokens", parameters.max_seq_length));
    row("Steps", &model.steps.to_string());
    row("Seed", &model.seed.to_string());
    row("SHA-256 of the weights", &hash(Some(&model.sha256)));

    card.push_str("\n## Evaluation\n\n| | |\n|---|---|\n");
    let figure = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.4}"));
    let mut row = |name: &str, value: &str| line(&mut card, &format!("| {name} | {value} |"));
    row("Training loss", &figure(Some(model.train_loss)));
    row("Validation loss of the base", &figure(model.initial_validation_loss));
    row("Validation loss", &figure(model.validation_loss));
    let Quality {
        stars,
        token_accuracy,
        generation,
        missing,
        ..
    } = &model.quality;
    row("Token accuracy", &figure(*token_accuracy));
    row("Held-out answers, words in common", &figure(*generation));
    match (stars, missing) {
        (Some(stars), _) => row("Stars", &format!("{stars} of 5")),
        (None, missing) => row("Stars", missing.as_deref().unwrap_or("none")),
    }
    card.push_str(
        "\nMeasured on rows that it did not learn from. Stars are 1 + 4 times the mean of: how much of the base's loss is \
         gone (all when half is), token accuracy, and words in common with held-out answers; 1 where the loss did not \
         fall.\n",
    );
    card
}

fn line(card: &mut String, text: &str) {
    // A string takes everything.
    let _ = writeln!(card, "{text}");
}

fn hash(sha256: Option<&str>) -> String {
    sha256.map_or_else(|| "not known any more".to_owned(), |sha256| format!("`{sha256}`"))
}

/// Names are people's words: nothing in them may become markup or end a cell.
fn plain(text: &str) -> String {
    let mut plain = String::new();
    for c in text.chars() {
        match c {
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '|' | '#' | '!' | '&' => {
                plain.push('\\');
                plain.push(c);
            }
            c if c.is_control() => plain.push(' '),
            c => plain.push(c),
        }
    }
    plain
}

/// A YAML string; JSON's are.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}
