//! The training loop.

use std::collections::VecDeque;
use std::path::Path;
use std::time::Instant;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::checkpoint::{self, Best, Identity, Progress, Restored, State, bits};
use super::data::{Plan, Rows};
use super::device;
use super::emitter::Emitter;
use super::extremes::Figure;
use super::failure::{Failure, Stop};
use super::memory::{self, Needs};
use super::objective::{Objective, Tally};
use super::optimizer::{Moments, Update, clip_factor, global_norm};
use super::schedule::Schedule;
use super::step::Learner;
use super::watch::Interrupt;
use super::{divergence, extremes, files, job, output, sample};
use crate::base::inspect::base_name;
use crate::base::weights::{Dtype, Weights};
use crate::base::{BaseInfo, LlamaConfig, inspect_base};
use crate::chat::{Chat, EncodedRow, Moment};
use crate::model::adapter::{Adapter, LoraConfig, Values, WEIGHTS_FILE, fresh_values, read_peft};
use crate::model::{DropoutPlan, Llama};
use crate::ops::bf16::Kernel;
use crate::ops::cross_entropy::CHUNK;
use crate::protocol::{Checkpointing, Event, FailureCode, JobSpec, LogLevel, Method, Parameters, Precision};

/// `metric` lines that are told again on resumption: more than a pipe holds and a reader has not kept yet.
const RECENT: usize = 1000;

/// Figures over the validation rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Validation {
    #[serde(with = "bits")]
    pub loss: f64,
    /// Of tokens, or of pairs.
    #[serde(with = "bits")]
    pub accuracy: f64,
    /// Of pairs.
    #[serde(with = "bits", default)]
    pub margin: f64,
}

/// Which of its training rows a job takes, by step and batch.
pub fn order(job_dir: &Path) -> Result<Vec<Vec<Vec<usize>>>, Stop> {
    let spec = job::read(job_dir)?;
    let config = LlamaConfig::read(&spec.base_dir)?;
    let chat = Chat::load(&spec.base_dir, &config, Moment::Fixed)?;
    let limit = spec.parameters.max_seq_length.min(config.context_length);
    let rows = Rows::of_job(&spec, &chat, limit, &Interrupt::default())?;
    let plan = Plan::new(rows.train.len(), &spec.parameters);
    Ok((0..plan.total_steps).map(|step| plan.batches(step)).collect())
}

/// A job on its way.
struct Run<'a> {
    job_dir: &'a Path,
    parameters: &'a Parameters,
    emitter: &'a Emitter,
    interrupt: &'a Interrupt,
    identity: Identity,
    chat: Chat,
    rows: Rows,
    plan: Plan,
    schedule: Schedule,
    objective: Objective,
    learner: Learner,
    moments: Vec<Moments>,
    progress: Progress,
    /// The newest `metric` lines, oldest first.
    recent: VecDeque<Event>,
    /// The adapter's weights file as it was at the best evaluation, where the job stops early.
    best: Option<Vec<u8>>,
    /// Optimizer steps done.
    step: u64,
    /// The newest step that stands in a checkpoint.
    saved: u64,
}

/// Figures of one step.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct StepFigures {
    #[serde(with = "bits")]
    loss: f64,
    #[serde(with = "bits")]
    accuracy: f64,
    #[serde(with = "bits", default)]
    margin: f64,
    #[serde(with = "bits")]
    grad_norm: f64,
    #[serde(with = "bits")]
    rate: f64,
    #[serde(with = "bits")]
    tokens_per_second: f64,
}

/// Trains from the newest checkpoint, or from the start, to the end.
pub fn run(job_dir: &Path, spec: &JobSpec, emitter: &Emitter, interrupt: &Interrupt) -> Result<(), Stop> {
    let mut run = Run::prepare(job_dir, spec, emitter, interrupt)?;
    run.announce();
    match run.train() {
        Err(Stop::Interrupted) => {
            run.save()?;
            Err(Stop::Interrupted)
        }
        Err(failed) => Err(failed),
        Ok(()) => {
            let done = output::write(
                job_dir,
                &run.learner.adapter,
                run.best.take(),
                run.parameters,
                &run.identity,
                run.progress,
                run.step,
                |written| {
                    // Texts and pairs have no one answer to hold against.
                    if run.parameters.method != Method::Supervised {
                        return Ok(None);
                    }
                    let llama = &run.learner.llama;
                    let adapter = Adapter::load(written, &llama.config)?;
                    sample::check(llama, &adapter, &run.rows.validation, interrupt)
                },
            )?;
            emitter.emit(done);
            Ok(())
        }
    }
}

impl<'a> Run<'a> {
    fn prepare(
        job_dir: &'a Path,
        spec: &'a JobSpec,
        emitter: &'a Emitter,
        interrupt: &'a Interrupt,
    ) -> Result<Self, Stop> {
        let parameters = &spec.parameters;
        let base = inspect_base(&spec.base_dir)?;
        let precision = precision(parameters, &base);
        let config = LlamaConfig::read(&spec.base_dir)?;
        let chat = Chat::load(&spec.base_dir, &config, Moment::Fixed)?;
        let limit = parameters.max_seq_length.min(config.context_length);
        let rows = Rows::of_job(spec, &chat, limit, interrupt)?;
        if let Some(refusal) = &rows.refusal {
            emitter.log(
                LogLevel::Warning,
                format!("Some rows were left out, the first at {refusal}."),
            );
        }
        if spec.validation_dataset.is_some() && rows.validation.is_empty() {
            emitter.log(
                LogLevel::Warning,
                "No row of the validation part can be used: training is not measured.",
            );
        }
        let identity = identity(spec, &rows, precision, interrupt)?;
        let (lora, values) = initial_adapter(spec, &config)?;
        let plan = Plan::new(rows.train.len(), parameters);
        let recompute = needs(&config, precision, parameters, &chat, &values, &rows, &plan)
            .plan(parameters.gradient_checkpointing, memory::available_bytes())?;
        if recompute && parameters.gradient_checkpointing == Checkpointing::Auto {
            emitter.log(
                LogLevel::Info,
                "Memory is short: layers are computed again in the backward pass.",
            );
        }
        interrupt.check()?;
        let schedule = Schedule::new(parameters, plan.total_steps);
        let names: Vec<String> = Adapter::new(lora.clone(), &config, values.clone(), false)?
            .tensors()
            .map(|(name, _)| name)
            .collect();
        let restored = checkpoint::newest(job_dir, &names, parameters, &identity)?;
        let start = match (&spec.initial_adapter, parameters.method) {
            (Some(_), Method::Dpo) => Some(Adapter::new(lora.clone(), &config, values.clone(), false)?),
            _ => None,
        };
        let known = restored.as_ref().and_then(|restored| restored.known.as_deref());
        let objective = Objective::new(parameters, &rows, start, known);
        let llama = Llama::load_as(&spec.base_dir, precision, parameters.quantization)?;
        let build = |values: Values| -> Result<Learner, Stop> {
            Ok(Learner::new(
                llama,
                Adapter::new(lora, &config, values, true)?,
                recompute,
            )?)
        };
        let (learner, moments, progress, recent, best, step) = match restored {
            Some(Restored {
                step,
                progress,
                recent,
                values,
                moments,
                best,
                ..
            }) => (build(values)?, moments, progress, recent, best, step),
            None => {
                let learner = build(values)?;
                let moments = learner.zero_moments();
                (learner, moments, Progress::default(), VecDeque::new(), None, 0)
            }
        };
        Ok(Self {
            job_dir,
            parameters,
            emitter,
            interrupt,
            identity,
            chat,
            rows,
            plan,
            schedule,
            objective,
            learner,
            moments,
            progress,
            recent,
            best,
            step,
            saved: step,
        })
    }

    fn announce(&self) {
        let sequences = || self.rows.train.iter().flat_map(EncodedRow::sequences);
        self.emitter.emit(Event::Started {
            method: self.parameters.method,
            total_steps: self.plan.total_steps,
            train_rows: self.rows.train.len() as u64,
            validation_rows: self.rows.validation.len() as u64,
            train_tokens: sequences().map(|row| row.tokens.len() as u64).sum(),
            trainable_tokens: sequences().map(|row| row.trainable.len() as u64).sum(),
            truncated_rows: self.rows.truncated,
            dropped_rows: self.rows.dropped,
            trainable_parameters: self
                .learner
                .variables
                .iter()
                .map(|(_, variable)| variable.elem_count() as u64)
                .sum(),
            precision: self.identity.precision,
            device: device::name(self.identity.precision),
            base_sha256: self.identity.base_sha256.clone(),
            resumed_from_step: self.step,
        });
        for metric in &self.recent {
            self.emitter.emit(metric.clone());
        }
        if let Some(samples) = extremes::told(self.job_dir) {
            self.emitter.emit(samples);
        }
    }

    fn train(&mut self) -> Result<(), Stop> {
        if self.step == 0 {
            self.progress.initial_validation = self.validate()?.map(|(validation, _)| validation);
            if let Some(validation) = self.progress.initial_validation {
                let untrained = StepFigures {
                    loss: validation.loss,
                    accuracy: 0.0,
                    margin: 0.0,
                    grad_norm: 0.0,
                    rate: 0.0,
                    tokens_per_second: 0.0,
                };
                self.report(&untrained, Some(validation));
            }
        }
        self.conclude_step()?;
        while !self.is_over() {
            let figures = self.one_step()?;
            self.progress.unreported = Some(figures);
            self.conclude_step()?;
            if self.is_over()
                || self
                    .step
                    .is_multiple_of(u64::from(self.parameters.checkpoint_every_steps))
            {
                self.save()?;
            }
        }
        Ok(())
    }

    fn is_over(&self) -> bool {
        self.step == self.plan.total_steps || self.is_out_of_patience()
    }

    fn is_out_of_patience(&self) -> bool {
        let best = self.parameters.early_stopping_patience.zip(self.progress.best);
        best.is_some_and(|(patience, best)| best.later >= patience)
    }

    /// Keeps the adapter where it is the best so far, in a job that stops early.
    fn compare(&mut self, validation: Validation) -> Result<(), Stop> {
        if self.parameters.early_stopping_patience.is_none() {
            return Ok(());
        }
        match &mut self.progress.best {
            Some(best) if best.validation.loss <= validation.loss => best.later += 1,
            best => {
                *best = Some(Best {
                    step: self.step,
                    validation,
                    later: 0,
                });
                self.best = Some(self.learner.adapter.weights_file()?);
            }
        }
        if let Some(best) = self.progress.best.filter(|_| self.is_out_of_patience()) {
            let message = format!(
                "Stopped early: {} evaluations in a row were no better than that of step {}, whose adapter is the result.",
                best.later, best.step
            );
            self.emitter.log(LogLevel::Info, message);
        }
        Ok(())
    }

    /// Measures and reports the step that was done last. When it is interrupted, the next run does that first.
    fn conclude_step(&mut self) -> Result<(), Stop> {
        let Some(figures) = self.progress.unreported else {
            return Ok(());
        };
        let measured = if self.step.is_multiple_of(self.plan.steps_an_epoch) {
            self.validate()?
        } else {
            None
        };
        let validation = measured.as_ref().map(|(validation, _)| *validation);
        self.progress.unreported = None;
        self.progress.validation = validation.or(self.progress.validation);
        self.report(&figures, validation);
        if let Some((validation, figures)) = measured {
            self.compare(validation)?;
            if self.progress.best.is_none_or(|best| best.step == self.step) {
                let samples = extremes::keep(self.job_dir, &self.chat, &self.rows.validation, self.step, figures)?;
                self.emitter.emit(samples);
            }
        }
        Ok(())
    }

    /// One optimizer step. When it is interrupted, nothing has changed.
    fn one_step(&mut self) -> Result<StepFigures, Stop> {
        let start = Instant::now();
        let rate = self.schedule.rate(self.step);
        let batches = self.plan.batches(self.step);
        let rows = || batches.iter().flatten().map(|row| &self.rows.train[*row]);
        let count = self.objective.count(rows());
        let sequences = rows().flat_map(EncodedRow::sequences);
        let tokens: usize = sequences.map(|row| row.tokens.len()).sum();
        let mut gradients = self.learner.zero_gradients();
        let mut tally = Tally::default();
        for (index, batch) in batches.iter().enumerate() {
            self.interrupt.check()?;
            let dropout = self.dropout(index);
            let (learner, rows) = (&self.learner, &self.rows.train);
            let batch = self
                .objective
                .learn(learner, rows, batch, count, dropout, &mut gradients)?;
            tally.add(batch);
        }
        let grad_norm = global_norm(&gradients);
        let loss = tally.loss();
        divergence::check(&mut self.progress, loss, grad_norm, self.step + 1)?;
        let factor = clip_factor(grad_norm, self.parameters.max_grad_norm);
        let update = Update::new(rate, self.parameters.weight_decay, self.step + 1);
        self.learner.update(update, &gradients, factor, &mut self.moments)?;
        self.step += 1;
        self.progress.loss_sum += tally.sum;
        self.progress.loss_tokens += count as u64;
        Ok(StepFigures {
            loss,
            accuracy: tally.accuracy(),
            margin: tally.margin(),
            grad_norm,
            rate,
            tokens_per_second: tokens as f64 / start.elapsed().as_secs_f64().max(1e-9),
        })
    }

    /// A key per batch: seed, step and place follow each other through a hash.
    fn dropout(&self, batch: usize) -> Option<DropoutPlan> {
        if self.parameters.dropout == 0.0 {
            return None;
        }
        let place = [self.parameters.seed, self.step, batch as u64]
            .map(u64::to_le_bytes)
            .concat();
        let digest = Sha256::digest(place);
        let key = digest.first_chunk::<8>().copied().map_or(0, u64::from_le_bytes);
        Some(DropoutPlan {
            probability: self.parameters.dropout as f32,
            key,
        })
    }

    fn validate(&mut self) -> Result<Option<(Validation, Vec<Figure>)>, Stop> {
        let (mut tally, mut figures) = (Tally::default(), Vec::new());
        let all: Vec<usize> = (0..self.rows.validation.len()).collect();
        for batch in all.chunks(self.parameters.batch_size) {
            self.interrupt.check()?;
            let (found, of_rows) = self.objective.measure(&self.learner, &self.rows.validation, batch)?;
            tally.add(found);
            figures.extend(of_rows);
        }
        let validation = || Validation {
            loss: tally.loss(),
            accuracy: tally.accuracy(),
            margin: tally.margin(),
        };
        Ok((tally.count > 0).then(|| (validation(), figures)))
    }

    fn report(&mut self, figures: &StepFigures, validation: Option<Validation>) {
        let rewards = |margin, accuracy| self.objective.rewards(margin, accuracy);
        let by_token = self.parameters.method != Method::Dpo;
        let trained = self.step > 0;
        let metric = Event::Metric {
            step: self.step,
            epoch: self.step as f64 / self.plan.steps_an_epoch as f64,
            loss: figures.loss,
            learning_rate: figures.rate,
            grad_norm: figures.grad_norm,
            tokens_per_second: figures.tokens_per_second,
            memory_bytes: memory::resident_bytes(),
            token_accuracy: (trained && by_token).then_some(figures.accuracy),
            validation_loss: validation.map(|validation| validation.loss),
            validation_token_accuracy: validation.filter(|_| by_token).map(|validation| validation.accuracy),
            rewards: rewards(figures.margin, figures.accuracy).filter(|_| trained),
            validation_rewards: validation.and_then(|measured| rewards(measured.margin, measured.accuracy)),
        };
        if self.recent.len() == RECENT {
            self.recent.pop_front();
        }
        self.recent.push_back(metric.clone());
        self.emitter.emit(metric);
    }

    /// Writes a checkpoint unless this step has one.
    fn save(&mut self) -> Result<(), Stop> {
        if self.step == self.saved {
            return Ok(());
        }
        checkpoint::write(
            self.job_dir,
            &self.learner,
            &self.moments,
            self.best.as_deref(),
            self.objective.known(),
            State::new(self.step, self.parameters, &self.identity, self.progress, &self.recent),
        )?;
        self.saved = self.step;
        self.emitter.emit(Event::Checkpoint { step: self.step });
        Ok(())
    }
}

fn identity(spec: &JobSpec, rows: &Rows, precision: Precision, interrupt: &Interrupt) -> Result<Identity, Stop> {
    let initial = spec
        .initial_adapter
        .as_ref()
        .map(|dir| files::hash_file(&dir.join(WEIGHTS_FILE)));
    Ok(Identity {
        base_sha256: base_sha256(&spec.base_dir, interrupt)?,
        dataset_sha256: rows.sha256.clone(),
        validation_sha256: rows.validation_sha256.clone(),
        initial_adapter_sha256: initial.transpose().ok().flatten(),
        precision,
    })
}

/// Over the names and hashes of the files that decide what the base computes and how it reads text.
fn base_sha256(dir: &Path, interrupt: &Interrupt) -> Result<String, Stop> {
    let mut paths = Weights::open_base(dir)?.files;
    let others = [
        "config.json",
        "tokenizer.json",
        "tokenizer_config.json",
        "chat_template.jinja",
    ];
    paths.extend(
        others
            .into_iter()
            .map(|name| dir.join(name))
            .filter(|path| path.is_file()),
    );
    let mut hasher = Sha256::new();
    for path in paths {
        interrupt.check()?;
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        hasher.update(format!("{}  {name}\n", files::hash_file(&path)?));
    }
    Ok(hex::encode(hasher.finalize()))
}

/// The one that was chosen, or the one that suits the base and this processor.
pub(super) fn precision(parameters: &Parameters, base: &BaseInfo) -> Precision {
    let suits = base.dtype != Dtype::F32.name() && Kernel::fastest() != Kernel::Portable;
    let suited = if suits { Precision::Bf16 } else { Precision::Fp32 };
    parameters.precision.unwrap_or(suited)
}

/// A fresh adapter, or the one that the job continues from.
pub(super) fn initial_adapter(spec: &JobSpec, config: &LlamaConfig) -> Result<(LoraConfig, Values), Failure> {
    let parameters = &spec.parameters;
    let lora = LoraConfig {
        rank: parameters.rank,
        alpha: f64::from(parameters.alpha),
        dropout: parameters.dropout,
        targets: parameters.target_modules.clone(),
        rank_stabilized: parameters.rank_stabilized,
        base: base_name(&spec.base_dir),
    };
    let Some(dir) = &spec.initial_adapter else {
        let values = fresh_values(&lora, config, parameters.seed);
        return Ok((lora, values));
    };
    let (found, values) = read_peft(dir)?;
    let same = found.rank == lora.rank && found.scale() == lora.scale() && found.targets == lora.targets;
    if !same {
        return Err(Failure::new(
            FailureCode::InvalidAdapter,
            "The adapter to continue from has another rank, alpha, scaling or set of target modules than the job.",
            "Give the job the adapter's own rank, alpha, rank_stabilized and target_modules.",
        ));
    }
    Ok((lora, values))
}

pub(super) fn needs(
    config: &LlamaConfig,
    precision: Precision,
    parameters: &Parameters,
    chat: &Chat,
    adapter: &Values,
    rows: &Rows,
    plan: &Plan,
) -> Needs {
    let base = memory::base_bytes(config, precision, parameters.quantization);
    // Values, gradient, two moments.
    let lora: u64 = adapter.values().map(|values| values.len() as u64 * 16).sum();
    let all = rows.train.iter().chain(&rows.validation);
    let texts: u64 = all
        .flat_map(EncodedRow::sequences)
        .map(|row| (row.tokens.len() * 4 + row.trainable.len() * 8) as u64)
        .sum();
    let tokens = plan.most_in_a_batch(|row| rows.train[row].sequences().map(EncodedRow::used).sum());
    let logits = (config.vocab * tokens).min(CHUNK) as u64 * 4;
    let fixed = base + lora + logits + texts + chat.memory_bytes() + memory::OVERHEAD;
    Needs::new(config, fixed, tokens as u64)
}
