//! Building blocks. They take props and never fetch.

pub mod brand;
pub mod button;
pub mod chart;
pub mod copy_button;
pub mod dialog;
pub mod document_row;
pub mod drop_zone;
pub mod error_view;
pub mod field;
pub mod filters;
pub mod icon;
pub mod loaded;
pub mod navigation;
pub mod page_head;
pub mod pager;
pub mod passage;
pub mod progress;
pub mod status;
pub mod tabs;
pub mod tag;
pub mod theme_switch;
pub mod time;
pub mod toast_list;
pub mod upload_list;
