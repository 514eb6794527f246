//! Builds the browser app: wasm by cargo, JavaScript glue by the wasm-bindgen library at the version that Cargo.lock
//! names, size by npm's wasm-opt, styles by Tailwind, scripts by esbuild. Every asset's name carries the hash of its
//! content, so that servers may let browsers keep them for ever.

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};
use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
    process::Command,
    time::Instant,
};
use wasm_bindgen_cli_support::Bindgen;

#[derive(clap::Args)]
pub struct Options {
    /// Builds quickly and large: the dev profile, nothing minified.
    #[arg(long)]
    dev: bool,
}

struct Places {
    root: PathBuf,
    frontend: PathBuf,
    /// Cargo's target directory.
    target: PathBuf,
    /// npm's packages.
    modules: PathBuf,
}

/// Leaves the whole app in `frontend/dist`. The old one stays in place until the new one is complete.
pub fn run(options: &Options) -> Result<()> {
    let places = Places::find()?;
    let work = tempfile::Builder::new().prefix("dist-").tempdir_in(&places.frontend)?;
    let (scratch, dist) = (work.path().join("scratch"), work.path().join("dist"));
    let assets = dist.join("assets");
    fs::create_dir_all(&scratch)?;
    fs::create_dir_all(&assets)?;

    step("cargo", || compile(&places, options))?;
    step("wasm-bindgen", || bind(&places, options, &scratch))?;
    let wasm = step("wasm-opt", || {
        shrink(&places, options, &scratch.join("app_bg.wasm"), &assets)
    })?;
    let style = step("tailwind", || styles(&places, options, &scratch, &assets))?;
    let (theme, start) = step("esbuild", || scripts(&places, options, &scratch, &assets, &wasm))?;
    let frame = step("esbuild frame", || frame(&places, options, &assets))?;
    let page = fs::read_to_string(places.frontend.join("diagram.html"))?;
    fs::write(dist.join("diagram.html"), page.replace("{{frame}}", &frame))?;
    let icon = keep(&places.frontend.join("public/favicon.svg"), "favicon", "svg", &assets)?;

    let (light, dark) = (
        pictures(&places, "light", &assets)?,
        pictures(&places, "dark", &assets)?,
    );

    let page = fs::read_to_string(places.frontend.join("index.html"))?
        .replace("{{icon}}", &icon)
        .replace("{{picture-light}}", &light)
        .replace("{{picture-dark}}", &dark)
        .replace("{{style}}", &style)
        .replace("{{theme}}", &theme)
        .replace("{{start}}", &start)
        .replace("{{wasm}}", &wasm);
    if page.contains("{{") {
        bail!("frontend/index.html has a placeholder that nothing fills");
    }
    fs::write(dist.join("index.html"), page)?;
    replace(&dist, &places.frontend.join("dist"), &work.path().join("old"))
}

impl Places {
    fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize()?;
        let modules = root.join("e2e/node_modules");
        if !modules.join(".bin/tailwindcss").exists() {
            bail!("npm's tools are missing: run `npm ci` in e2e/ first");
        }
        let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |path| root.join(path));
        Ok(Self {
            frontend: root.join("frontend"),
            root,
            target,
            modules,
        })
    }

    /// An npm tool, started where the relative paths of the sources hold.
    fn tool(&self, name: &str) -> Command {
        let mut command = Command::new(self.modules.join(".bin").join(name));
        command.current_dir(&self.frontend).env("NODE_PATH", &self.modules);
        command
    }
}

fn compile(places: &Places, options: &Options) -> Result<()> {
    let profile = if options.dev { "dev" } else { "wasm" };
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // Erased component types compile in a fraction of the time, and to less code.
    cargo
        .current_dir(&places.root)
        .args([
            "build",
            "--locked",
            "--target",
            "wasm32-unknown-unknown",
            "-p",
            "cerebros-frontend",
        ])
        .args([
            "--config",
            r#"target.wasm32-unknown-unknown.rustflags=["--cfg", "erase_components"]"#,
        ])
        .args(["--profile", profile])
        .env("CARGO_TARGET_DIR", &places.target);
    succeed(cargo)
}

/// Writes `app.js` and `app_bg.wasm`.
fn bind(places: &Places, options: &Options, out: &Path) -> Result<()> {
    let profile = if options.dev { "debug" } else { "wasm" };
    let input = places
        .target
        .join("wasm32-unknown-unknown")
        .join(profile)
        .join("cerebros-frontend.wasm");
    Bindgen::new()
        .input_path(input)
        .out_name("app")
        .web(true)?
        .typescript(false)
        .omit_default_module_path(true)
        .keep_debug(options.dev)
        .remove_name_section(!options.dev)
        .remove_producers_section(true)
        .generate(out)
}

/// The address of the finished wasm. What was shrunk before is taken from the target directory.
fn shrink(places: &Places, options: &Options, input: &Path, assets: &Path) -> Result<String> {
    if options.dev {
        return keep(input, "app", "wasm", assets);
    }
    let store = places.target.join("xtask");
    fs::create_dir_all(&store)?;
    let stored = store.join(format!("{}.wasm", hash(&fs::read(input)?)));
    if !stored.exists() {
        let fresh = store.join("fresh.wasm");
        let mut optimiser = places.tool("wasm-opt");
        optimiser.arg("-Oz").arg(input).arg("-o").arg(&fresh);
        succeed(optimiser)?;
        fs::rename(&fresh, &stored)?;
    }
    keep(&stored, "app", "wasm", assets)
}

fn styles(places: &Places, options: &Options, scratch: &Path, assets: &Path) -> Result<String> {
    let out = scratch.join("app.css");
    let mut tailwind = places.tool("tailwindcss");
    tailwind.args(["--input", "style/app.css", "--output"]).arg(&out);
    if !options.dev {
        tailwind.arg("--minify");
    }
    succeed(tailwind)?;
    keep(&out, "app", "css", assets)
}

/// The addresses of the script that sets the theme before the first paint, and of the one that starts the app.
fn scripts(places: &Places, options: &Options, scratch: &Path, assets: &Path, wasm: &str) -> Result<(String, String)> {
    let bundle = |name: &str, format: &str| {
        let out = scratch.join(format!("{name}.bundle.js"));
        let mut esbuild = places.tool("esbuild");
        esbuild
            .arg(places.frontend.join("js").join(format!("{name}.js")))
            .args(["--bundle", "--log-level=warning", "--target=es2022"])
            .arg(format!("--format={format}"))
            .arg(format!("--alias:app={}", scratch.join("app.js").display()))
            .arg(format!("--define:WASM={wasm:?}"))
            .arg(format!("--outfile={}", out.display()));
        if !options.dev {
            esbuild.arg("--minify");
        }
        succeed(esbuild)?;
        keep(&out, name, "js", assets)
    };
    Ok((bundle("theme", "iife")?, bundle("start", "esm")?))
}

/// The address of the script of the frame in which Mermaid draws; it loads each kind of diagram when it is needed.
fn frame(places: &Places, options: &Options, assets: &Path) -> Result<String> {
    let mut esbuild = places.tool("esbuild");
    esbuild
        .arg(places.frontend.join("js/diagram.js"))
        .args([
            "--bundle",
            "--splitting",
            "--format=esm",
            "--target=es2022",
            "--log-level=error",
        ])
        .args(["--entry-names=[name]-[hash]", "--chunk-names=mermaid-[hash]"])
        .arg(format!("--outdir={}", assets.display()));
    if !options.dev {
        esbuild.arg("--minify");
    }
    succeed(esbuild)?;
    for entry in fs::read_dir(assets)? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        if name.starts_with("diagram-") && name.ends_with(".js") {
            return Ok(format!("/assets/{name}"));
        }
    }
    bail!("esbuild made no diagram script")
}

/// The picture on the landing page in its sizes, as `srcset` wants it.
fn pictures(places: &Places, theme: &str, assets: &Path) -> Result<String> {
    let mut set = Vec::new();
    for width in [640, 1280] {
        let name = format!("picture-{theme}-{width}");
        let file = places.frontend.join("public").join(&name).with_extension("webp");
        set.push(format!("{} {width}w", keep(&file, &name, "webp", assets)?));
    }
    Ok(set.join(", "))
}

/// Copies a file under a name that carries its hash, and gives its address.
fn keep(file: &Path, name: &str, extension: &str, assets: &Path) -> Result<String> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let name = format!("{name}-{}.{extension}", &hash(&bytes)[..16]);
    fs::write(assets.join(&name), bytes)?;
    Ok(format!("/assets/{name}"))
}

/// Puts `new` where `current` is; `current` goes to `old`, which the caller removes.
fn replace(new: &Path, current: &Path, old: &Path) -> Result<()> {
    if current.exists() {
        fs::rename(current, old)?;
    }
    fs::rename(new, current).with_context(|| format!("cannot write {}", current.display()))
}

fn hash(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn succeed(mut command: Command) -> Result<()> {
    let status = command.status().with_context(|| format!("cannot start {command:?}"))?;
    if !status.success() {
        bail!("{command:?} ended with {status}");
    }
    Ok(())
}

fn step<T>(name: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let result = work().with_context(|| format!("{name} failed"))?;
    writeln!(std::io::stderr(), "{name:>14}  {:.1} s", start.elapsed().as_secs_f32())?;
    Ok(result)
}
