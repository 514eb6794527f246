//! Building blocks. They take props and never fetch.

pub mod brand;
pub mod button;
pub mod dialog;
pub mod error_view;
pub mod field;
pub mod icon;
pub mod loaded;
pub mod navigation;
pub mod tag;
pub mod theme_switch;
pub mod time;
pub mod toast_list;
