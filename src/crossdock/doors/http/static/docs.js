"use strict";

// Renders openapi.json and sends what the reader fills in. All text is set as text, never as markup.

const base = new URL(".", document.baseURI);
const byId = (id) => document.getElementById(id);

function make(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) node.setAttribute(name, value);
  node.append(...children);
  return node;
}

// Text in which `code` is marked.
function prose(text) {
  return text.split(/`([^`]+)`/).map((part, i) => (i % 2 ? make("code", {}, part) : part));
}

function pathNode(path) {
  const parts = path.split(/(\{[^}]+\})/).map((part) => (part.startsWith("{") ? make("b", {}, part) : part));
  return make("span", { class: "path" }, ...parts);
}

function badge(method) {
  return make("span", { class: `method ${method}` }, method.toUpperCase());
}

class Document {
  constructor(spec) {
    this.spec = spec;
  }

  resolve(schema) {
    return schema.$ref ? this.resolve(schema.$ref.split("/").slice(1).reduce((at, key) => at[key], this.spec)) : schema;
  }

  typeOf(schema) {
    if (schema.$ref) return schema.$ref.split("/").pop();
    if (schema.anyOf) {
      const names = schema.anyOf.map((each) => this.typeOf(each));
      return [...new Set(names)].filter((name) => name !== "integer" || !names.includes("number")).join(" | ");
    }
    if (schema.enum) return schema.enum.map((each) => JSON.stringify(each)).join(" | ");
    if (schema.type === "array") return `array of ${this.typeOf(schema.items)}`;
    return schema.type || "any";
  }

  fields(schema) {
    const { properties = {}, required = [] } = this.resolve(schema);
    const rows = Object.entries(properties).map(([name, shape]) => {
      const must = required.includes(name);
      const cell = make("td", {}, make("span", { class: "type" }, this.typeOf(shape)));
      if (!must && shape.default !== undefined && shape.default !== null && shape.default !== "")
        cell.append(make("span", { class: "type" }, `, default ${JSON.stringify(shape.default)}`));
      if (shape.description) cell.append(make("small", {}, ...prose(shape.description)));
      const label = make("td", {}, name);
      if (must) label.append(make("span", { class: "required", title: "required" }, " *"));
      return make("tr", {}, label, cell);
    });
    return make("table", {}, ...rows);
  }

  // The least that a request needs, as something to begin from.
  example(schema) {
    const shape = this.resolve(schema);
    if (shape.anyOf) return null;
    if (shape.enum) return shape.enum[0];
    if (shape.type === "object") {
      const entries = Object.entries(shape.properties || {}).filter(([name]) => (shape.required || []).includes(name));
      return Object.fromEntries(entries.map(([name, each]) => [name, this.named(name, each)]));
    }
    if (shape.type === "array") return [this.example(shape.items)];
    return { string: "", integer: 1, number: 1, boolean: false }[shape.type] ?? { hello: "world" };
  }

  named(name, schema) {
    return { group: "workers", consumer_id: "docs", receipt: "", extend_sec: 30 }[name] ?? this.example(schema);
  }
}

function responses(doc, operation) {
  const rows = Object.entries(operation.responses).map(([status, given]) => {
    const answer = doc.resolve(given);
    const cell = make("td", {}, ...prose(answer.description));
    const schema = answer.content?.["application/json"]?.schema;
    const shown = (schema?.oneOf || (schema ? [schema] : [])).map((each) => doc.typeOf(each)).join(" | ");
    if (shown) cell.append(make("small", {}, shown));
    const tone = status < "400" ? "good" : "bad";
    return make("tr", {}, make("td", {}, make("span", { class: `status ${tone}` }, status)), cell);
  });
  return make("table", {}, ...rows);
}

function tryOut(doc, method, path, operation) {
  const inputs = operation.parameters.map((parameter) => {
    const value = parameter.name === "queue" ? "orders" : (parameter.schema.default ?? "");
    return { parameter, input: make("input", { value, "aria-label": parameter.name }) };
  });
  const form = make("div", { class: "try" }, make("h3", {}, "Try it"));
  for (const { parameter, input } of inputs) form.append(make("label", {}, parameter.name, input));
  const schema = operation.requestBody?.content["application/json"].schema;
  const body = make("textarea", { "aria-label": "Body", spellcheck: "false" });
  if (schema) {
    body.value = JSON.stringify(doc.example(schema), null, 2);
    form.append(body);
  }
  const button = make("button", { type: "button" }, "Send");
  const result = make("pre", { class: "hidden", "aria-live": "polite" });
  button.addEventListener("click", async () => {
    button.disabled = true;
    result.className = "";
    result.textContent = await send(method, path, inputs, schema ? body.value : undefined);
    button.disabled = false;
  });
  form.append(button, result);
  return form;
}

async function send(method, path, inputs, body) {
  const query = new URLSearchParams();
  for (const { parameter, input } of inputs) {
    if (parameter.in === "path") path = path.replace(`{${parameter.name}}`, encodeURIComponent(input.value));
    else if (input.value !== "") query.set(parameter.name, input.value);
  }
  const url = new URL(path.slice(1) + (query.size ? `?${query}` : ""), base);
  const headers = body === undefined ? {} : { "content-type": "application/json" };
  if (byId("key").value) headers["x-api-key"] = byId("key").value;
  const started = performance.now();
  try {
    const response = await fetch(url, { method: method.toUpperCase(), headers, body });
    const took = Math.round(performance.now() - started);
    const text = await response.text();
    const id = response.headers.get("x-request-id");
    return `${response.status} ${response.statusText}   ${took} ms   request ${id}\n\n${pretty(text)}`;
  } catch (error) {
    return String(error);
  }
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

function route(doc, method, path, operation) {
  const head = make("summary", {}, badge(method), pathNode(path));
  head.append(make("span", { class: "summary" }, ...prose(operation.summary)));
  if (operation.security?.length) head.append(make("span", { class: "lock", title: "Asks for the API key" }, "key"));
  const node = make("details", { class: "route", id: operation.operationId }, head);
  node.dataset.text = `${method} ${path} ${operation.summary}`.toLowerCase();
  node.addEventListener("toggle", () => {
    if (node.childElementCount === 1) node.append(inside(doc, method, path, operation));
  });
  return node;
}

function inside(doc, method, path, operation) {
  const known = make("div", {});
  const schema = operation.requestBody?.content["application/json"].schema;
  if (schema) known.append(make("h3", {}, "Body"), doc.fields(schema));
  known.append(make("h3", {}, "Responses"), responses(doc, operation));
  const content = make("div", { class: "inside" });
  if (operation.description) content.append(make("p", {}, ...prose(operation.description)));
  content.append(known, tryOut(doc, method, path, operation));
  return content;
}

function render(spec) {
  const doc = new Document(spec);
  byId("version").textContent = spec.info.version;
  byId("about").append(...spec.info.description.split("\n\n").map((text) => make("p", {}, ...prose(text))));
  for (const { name } of spec.tags) {
    byId("index").append(make("h2", {}, name));
    const section = make("div", {}, make("h2", {}, name));
    for (const [path, methods] of Object.entries(spec.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (!operation.tags.includes(name)) continue;
        section.append(route(doc, method, path, operation));
        const link = make("a", { href: `#${operation.operationId}` }, badge(method), make("span", {}, short(path)));
        link.addEventListener("click", () => (byId(operation.operationId).open = true));
        byId("index").append(link);
      }
    }
    byId("routes").append(section);
  }
  if (location.hash) {
    const wanted = byId(decodeURIComponent(location.hash.slice(1)));
    if (wanted) wanted.open = true;
  }
}

function short(path) {
  return path.replace("/api/v1/{queue}", "").replace("/api/v1", "");
}

function filter() {
  const wanted = byId("filter").value.toLowerCase();
  for (const section of byId("routes").children) {
    let shown = 0;
    for (const node of section.querySelectorAll(".route")) {
      const hidden = !node.dataset.text.includes(wanted);
      node.classList.toggle("hidden", hidden);
      shown += hidden ? 0 : 1;
    }
    section.classList.toggle("hidden", shown === 0);
  }
}

byId("filter").addEventListener("input", filter);
fetch(new URL("openapi.json", base))
  .then((response) => response.json())
  .then(render)
  .catch((error) => (byId("about").textContent = `The API's description cannot be read: ${error}`));
