//! A judge: one model or a panel, asked by one rubric.

use super::ask::{Answer, Answered, Member, add};
use super::prompt::{self, Case};
use super::reading::Told;
use super::scale::Scale;
use super::spec::{Aggregate, Form, JudgeSpec};
use crate::Kit;
use hanok_base::{CallContext, ModelName, NanoDollars, ScoreValue, Verdict};
use serde_json::{Value, json};

/// A judge, ready to be asked.
pub struct Judge {
    spec: JudgeSpec,
    scale: Scale,
    members: Vec<Member>,
    kit: Kit,
}

/// What one model of a judge said.
#[derive(Clone, Debug, PartialEq)]
pub struct Opinion {
    /// The model.
    pub model: ModelName,
    /// What it said, as a value of the judge's [`Scale`].
    pub verdict: Verdict,
    /// The level, where it said one.
    pub level: Option<usize>,
    /// Its reasons.
    pub reasoning: String,
    /// Of a pair: whether it said the same in both orders.
    pub consistent: Option<bool>,
    /// Of a pair: how much it leans to the place that comes first, from -1 (the second, in both orders) to 1 (the
    /// first, in both).
    pub leaning: Option<f64>,
    /// What asking it cost; `None` where no price is known.
    pub cost: Option<NanoDollars>,
}

/// What a judge said of a case.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The panel's verdict, or its only member's.
    pub verdict: Verdict,
    /// The level, where one was said; of a panel's mean the nearest.
    pub level: Option<usize>,
    /// The reasons of the members that said so.
    pub reasoning: String,
    /// Each member's opinion.
    pub opinions: Vec<Opinion>,
    /// Of those members that gave a verdict, the share that gave the commonest one; `None` of a single judge.
    pub agreement: Option<f64>,
    /// Of a pair: whether every member that gave a verdict said the same in both orders.
    pub consistent: Option<bool>,
    /// What it cost together.
    pub cost: Option<NanoDollars>,
}

impl Judgement {
    /// One that nobody was asked for.
    pub(crate) fn without(verdict: Verdict) -> Self {
        Self {
            verdict,
            level: None,
            reasoning: String::new(),
            opinions: Vec::new(),
            agreement: None,
            consistent: None,
            cost: None,
        }
    }
}

impl Judge {
    /// A judge that asks the kit's models. What is wrong with the spec, in words, where none can be made of it.
    pub fn new(spec: &JudgeSpec, kit: &Kit) -> Result<Self, String> {
        if spec.rubric.trim().is_empty() {
            return Err("the rubric is empty: say in words when an answer passes".to_owned());
        }
        if spec.form != Form::Ordinal && !spec.levels.is_empty() {
            return Err("only an ordinal judge has levels; add form = \"ordinal\"".to_owned());
        }
        let scale = match spec.form {
            Form::Binary => Scale::binary(),
            Form::Pairwise => Scale::pairwise(),
            Form::Ordinal => Scale::ordinal(&spec.levels)?,
        };
        let models = &spec.model.0;
        if let Some(twice) =
            models.iter().enumerate().find(|(at, model)| models.iter().take(*at).any(|m| m == *model))
        {
            return Err(format!("the model `{}` is on the panel twice", twice.1));
        }
        let members = models.iter().map(|model| Member::new(model, kit)).collect::<Result<Vec<_>, _>>()?;
        Ok(Self { spec: spec.clone(), scale, members, kit: kit.clone() })
    }

    /// What it may say.
    pub fn scale(&self) -> &Scale {
        &self.scale
    }

    /// Its table.
    pub fn spec(&self) -> &JudgeSpec {
        &self.spec
    }

    /// Everything that its verdicts follow from: models, wording, rubric, levels, sampling. What was found out about a
    /// judge is of the judge with this identity, and stale for any other.
    pub fn identity(&self) -> Value {
        identity(&self.spec)
    }

    /// The judge of pairs by the same rubric and models.
    pub(crate) fn paired(&self) -> Result<Self, String> {
        let spec = JudgeSpec { form: Form::Pairwise, levels: Vec::new(), ..self.spec.clone() };
        Self::new(&spec, &self.kit)
    }

    /// What it says of a case. `repeat` asks the same again with another seed.
    pub async fn judge(&self, cx: &CallContext, case: &Case<'_>, repeat: u32) -> Judgement {
        let case = match (self.spec.form, case.other) {
            (Form::Pairwise, None) => {
                let verdict = Verdict::Skipped("there is no other answer to compare with".to_owned());
                return Judgement::without(verdict);
            }
            (Form::Pairwise, Some(_)) => *case,
            _ => Case { other: None, ..*case },
        };
        let asked = self.members.iter().map(|member| self.opinion(cx, member, &case, repeat));
        let opinions = futures_util::future::join_all(asked).await;
        self.together(opinions)
    }

    async fn opinion(&self, cx: &CallContext, member: &Member, case: &Case<'_>, repeat: u32) -> Opinion {
        let ask = |swapped| member.ask(cx, &self.spec, &self.scale, case, swapped, repeat);
        if self.spec.form != Form::Pairwise {
            let answered = ask(false).await;
            let level = match answered.said {
                Answer::Verdict(Told::Level(level)) => Some(level),
                _ => None,
            };
            return Opinion {
                model: member.model.clone(),
                verdict: self.verdict(&answered.said, level),
                level,
                reasoning: answered.reasoning,
                consistent: None,
                leaning: None,
                cost: answered.cost,
            };
        }
        let (first, second) = futures_util::future::join(ask(false), ask(true)).await;
        self.of_both(member.model.clone(), first, second)
    }

    /// One opinion out of both orders: what is said in one of them only is a tie.
    fn of_both(&self, model: ModelName, first: Answered, second: Answered) -> Opinion {
        // From -1 (the other is better) to 1.
        let told = |answered: &Answered, swapped: bool| match (&answered.said, swapped) {
            (Answer::Verdict(Told::Tie), _) => Some(0_i8),
            (Answer::Verdict(Told::First), false) | (Answer::Verdict(Told::Second), true) => Some(1),
            (Answer::Verdict(Told::First), true) | (Answer::Verdict(Told::Second), false) => Some(-1),
            _ => None,
        };
        let (one, two) = (told(&first, false), told(&second, true));
        let cost = add(first.cost, second.cost);
        let (Some(one), Some(two)) = (one, two) else {
            let said = if one.is_none() { &first.said } else { &second.said };
            return Opinion {
                verdict: self.verdict(said, None),
                model,
                level: None,
                reasoning: String::new(),
                consistent: None,
                leaning: None,
                cost,
            };
        };
        let level = match (one == two, one) {
            (true, 1) => 2,
            (true, -1) => 0,
            _ => 1,
        };
        let reasoning = [("in the given order", first.reasoning), ("in the other order", second.reasoning)]
            .into_iter()
            .filter(|(_, words)| !words.is_empty())
            .map(|(order, words)| format!("{order}: {words}"))
            .collect::<Vec<_>>();
        Opinion {
            model,
            verdict: Verdict::Value(self.scale.value(level)),
            level: Some(level),
            reasoning: reasoning.join("\n"),
            consistent: Some(one == two),
            // In the given order the judged answer is first, in the other one second.
            leaning: Some(f64::from(one - two) / 2.0),
            cost,
        }
    }

    fn verdict(&self, said: &Answer, level: Option<usize>) -> Verdict {
        match (said, level) {
            (_, Some(level)) => Verdict::Value(self.scale.value(level)),
            (Answer::Refused(words), None) => Verdict::Refused(words.clone()),
            (Answer::Unparsed(why), None) => Verdict::Unparsed(why.clone()),
            (Answer::Failed(why), None) => Verdict::Failed(why.clone()),
            (Answer::Verdict(_), None) => Verdict::Unparsed("it gave a verdict of another form".to_owned()),
        }
    }

    fn together(&self, opinions: Vec<Opinion>) -> Judgement {
        let cost = opinions.iter().fold(None, |sum, opinion| add(sum, opinion.cost));
        let consistent = opinions.iter().filter_map(|opinion| opinion.consistent).reduce(|a, b| a && b);
        if let [only] = opinions.as_slice() {
            return Judgement {
                verdict: only.verdict.clone(),
                level: only.level,
                reasoning: only.reasoning.clone(),
                agreement: None,
                consistent,
                cost,
                opinions,
            };
        }
        let mut counts = vec![0_usize; self.scale.labels.len()];
        for level in opinions.iter().filter_map(|opinion| opinion.level) {
            if let Some(count) = counts.get_mut(level) {
                *count += 1;
            }
        }
        let said: usize = counts.iter().sum();
        // Of a tie the lower one: the first maximum.
        let most = counts.iter().copied().max().unwrap_or(0);
        let common = counts.iter().position(|count| *count == most);
        let (verdict, level) = match common {
            Some(common) if said * 2 > opinions.len() => self.of_panel(&opinions, common),
            _ => {
                let first = opinions.iter().find(|opinion| opinion.level.is_none());
                let verdict =
                    first.map_or_else(|| Verdict::Unparsed(String::new()), |first| first.verdict.clone());
                (verdict, None)
            }
        };
        let reasoning = opinions
            .iter()
            .filter(|opinion| !opinion.reasoning.is_empty() && opinion.level.is_some())
            .map(|opinion| {
                format!(
                    "{} ({}): {}",
                    opinion.model,
                    self.scale.label(opinion.level.unwrap_or(0)),
                    opinion.reasoning
                )
            })
            .collect::<Vec<_>>()
            .join("\n");
        #[expect(clippy::cast_precision_loss, reason = "a panel has few members")]
        let agreement = (said > 0).then(|| most as f64 / said as f64);
        Judgement { verdict, level, reasoning, opinions, agreement, consistent, cost }
    }

    fn of_panel(&self, opinions: &[Opinion], common: usize) -> (Verdict, Option<usize>) {
        match self.spec.panel {
            Aggregate::Majority => (Verdict::Value(self.scale.value(common)), Some(common)),
            Aggregate::Mean => {
                let numbers: Vec<f64> = opinions
                    .iter()
                    .filter_map(|opinion| opinion.level)
                    .map(|level| self.scale.number(level))
                    .collect();
                let mean = hanok_stats::mean(&numbers).unwrap_or_default();
                let distance = |level: &usize| (self.scale.number(*level) - mean).abs();
                let nearest = (0..self.scale.labels.len()).min_by(|a, b| distance(a).total_cmp(&distance(b)));
                (Verdict::Value(ScoreValue::Number(mean)), nearest)
            }
        }
    }
}

/// The identity of the judge of a table, see [`Judge::identity`].
pub fn identity(spec: &JudgeSpec) -> Value {
    json!({ "judge": spec, "wording": prompt::wording() })
}

/// A short name for an identity: 16 hexadecimal digits of its hash.
pub fn fingerprint(identity: &Value) -> String {
    blake3::hash(identity.to_string().as_bytes()).to_hex().chars().take(16).collect()
}
