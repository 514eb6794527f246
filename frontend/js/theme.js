// Runs before the first paint, so that a dark screen does not flash white. `theme.rs` writes the choice.
const choice = localStorage.getItem("theme");
const dark = choice === "dark" || (choice !== "light" && matchMedia("(prefers-color-scheme: dark)").matches);
document.documentElement.dataset.theme = dark ? "dark" : "light";
