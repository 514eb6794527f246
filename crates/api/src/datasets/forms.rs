//! Formats as the API names them, and as the reader of rows does.

use cerebros_common::datasets::{Dataset, DatasetFormat, DatasetLayout, NewDatasetSplit};
use cerebros_datasets::{
    Split,
    format::{Form, Format, Layout},
};

/// What a dataset's file is. Before it is validated, nobody knows: it is taken for chat rows.
pub fn form_of(dataset: &Dataset) -> Form {
    Form {
        format: dataset.format.map_or(Format::Chat, format),
        layout: dataset.layout.map_or(Layout::Lines, layout),
    }
}

/// Which of a dataset's accepted rows are kept out of training: as it says, or as it would by default.
pub fn split_of(dataset: &Dataset) -> Split {
    let chosen = dataset
        .split
        .map_or_else(NewDatasetSplit::default, |split| NewDatasetSplit {
            validation_fraction: split.validation_fraction,
            seed: split.seed,
        });
    let rows = dataset.report.as_ref().map_or(0, |report| report.rows_accepted);
    Split::new(rows, chosen.validation_rows(rows), chosen.seed)
}

pub fn format(format: DatasetFormat) -> Format {
    match format {
        DatasetFormat::Chat => Format::Chat,
        DatasetFormat::Sharegpt => Format::Sharegpt,
        DatasetFormat::Alpaca => Format::Alpaca,
        DatasetFormat::PromptCompletion => Format::PromptCompletion,
        DatasetFormat::Text => Format::Text,
        DatasetFormat::OpenaiPreference => Format::OpenaiPreference,
        DatasetFormat::Preference => Format::Preference,
    }
}

pub fn layout(layout: DatasetLayout) -> Layout {
    match layout {
        DatasetLayout::Lines => Layout::Lines,
        DatasetLayout::List => Layout::List,
    }
}

pub fn wire_format(found: Format) -> DatasetFormat {
    match found {
        Format::Chat => DatasetFormat::Chat,
        Format::Sharegpt => DatasetFormat::Sharegpt,
        Format::Alpaca => DatasetFormat::Alpaca,
        Format::PromptCompletion => DatasetFormat::PromptCompletion,
        Format::Text => DatasetFormat::Text,
        Format::OpenaiPreference => DatasetFormat::OpenaiPreference,
        Format::Preference => DatasetFormat::Preference,
    }
}

pub fn wire_layout(found: Layout) -> DatasetLayout {
    match found {
        Layout::Lines => DatasetLayout::Lines,
        Layout::List => DatasetLayout::List,
    }
}
