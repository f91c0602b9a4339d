// The fields of a playground's variables: a text, a choice, or a picture.
import { el, fill, toast, words } from "./shell.js";

const w = words.prompts;
const LARGEST = 8 << 20;
const values = new Map(), pictures = new Map();

/** A value as people write it. */
export const valueText = (value) => (value == null ? "" : typeof value === "string" ? value : JSON.stringify(value));
/** The field of a variable. */
export const variableField = ({ name, type, description, required, choices, default: usual }) => {
  const id = `var-${name}`;
  let input;
  if (choices?.length) {
    input = el("select", { class: "select", id }, el("option", { value: "" }, ""), ...choices.map((choice) => el("option", { value: valueText(choice) }, valueText(choice))));
  } else input = el("textarea", { class: "input", id, rows: 2, placeholder: valueText(usual) });
  input.value = values.get(name) ?? "";
  input.addEventListener("input", () => values.set(name, input.value));
  const field = el("div", { class: "field" }, el("label", { for: id }, el("span", { class: "mono" }, name), required ? ` (${w.needed})` : "", type && type !== "any" ? el("span", { class: "dim" }, ` ${type}`) : null), input);
  if (type === "string" || type === "any") field.append(picture(name, input));
  if (description) field.append(el("p", { class: "hint" }, description));
  return field;
};
const picture = (name, input) => {
  const file = el("input", { type: "file", accept: "image/*", class: "vh", "aria-label": fill(w.image_of, { name }), tabindex: -1 });
  const attach = el("button", { type: "button", class: "btn btn-quiet btn-sm", "aria-label": `${w.attach}: ${name}` }, w.attach);
  const drop = el("button", { type: "button", class: "btn btn-quiet btn-sm" }, w.drop_image);
  const said = el("span", { class: "dim cut" });
  const show = () => {
    const held = pictures.get(name);
    said.textContent = held?.name ?? "";
    drop.hidden = !held;
    attach.hidden = input.disabled = Boolean(held);
  };
  attach.onclick = () => file.click();
  drop.onclick = () => {
    pictures.delete(name);
    file.value = "";
    show();
    attach.focus();
  };
  file.onchange = () => {
    const [chosen] = file.files;
    if (!chosen) return;
    if (chosen.size > LARGEST) return toast(w.image_large, "warn");
    const reader = new FileReader();
    reader.onload = () => {
      pictures.set(name, { name: chosen.name, url: reader.result });
      show();
    };
    reader.readAsDataURL(chosen);
  };
  show();
  return el("div", { class: "row" }, attach, said, drop, file);
};

/** What was filled in for these variables. */
export const filledIn = (variables) => {
  const of = {};
  for (const { name } of variables) {
    const value = pictures.get(name)?.url ?? values.get(name);
    if (value) of[name] = value;
  }
  return of;
};
