// @ts-check
/** Draws the OpenAPI document of this station as a page. */

const $ = (/** @type {string} */ id) => /** @type {HTMLElement} */ (document.getElementById(id));

/** @param {string} name @param {string | null} [words] @param {Record<string, string>} [attributes] @param {...Node} children */
const make = (name, words, attributes = {}, ...children) => {
  const element = document.createElement(name);
  if (words) element.textContent = words;
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
};

/** A schema in few words. @param {any} schema @param {any} all @param {number} [depth] @returns {string} */
const words = (schema, all, depth = 0) => {
  if (!schema) return '';
  if (schema.$ref) {
    const target = all[schema.$ref.split('/').pop()];
    return depth > 2 || !target ? schema.$ref.split('/').pop() : words(target, all, depth);
  }
  if (schema.anyOf) {
    const kinds = schema.anyOf.filter((/** @type {any} */ one) => one.type !== 'null');
    return kinds.map((/** @type {any} */ one) => words(one, all, depth)).join(' | ') + (kinds.length < schema.anyOf.length ? '?' : '');
  }
  if (schema.enum) return schema.enum.map((/** @type {any} */ one) => (one === null ? 'null' : JSON.stringify(one))).join(' | ');
  if (schema.type === 'array') return `[${words(schema.items, all, depth) || 'anything'}]`;
  if (schema.properties) {
    const pad = '  '.repeat(depth + 1);
    const required = new Set(schema.required ?? []);
    const rows = Object.entries(schema.properties).map(([key, value]) => `${pad}${key}${required.has(key) ? '' : ' (optional)'}: ${words(value, all, depth + 1)}`);
    return `{\n${rows.join('\n')}\n${'  '.repeat(depth)}}`;
  }
  const bounds = [schema.minimum !== undefined && `from ${schema.minimum}`, schema.maximum !== undefined && `to ${schema.maximum}`].filter(Boolean);
  return [schema.type ?? 'anything', ...bounds].join(' ');
};

/** @param {string} method @param {string} path @param {any} operation @param {any} schemas */
const draw = (method, path, operation, schemas) => {
  const whole = make('div', null, { class: 'whole' });
  if (operation.description) whole.append(make('p', operation.description));
  if (operation.parameters.length) {
    const rows = operation.parameters.map((/** @type {any} */ one) => make('tr', null, {},
      make('td', one.name + (one.required ? '' : '?')),
      make('td', one.schema.description ?? words(one.schema, schemas))));
    whole.append(make('h3', 'Asked with'), make('table', null, {}, ...rows));
  }
  const body = operation.requestBody?.content['application/json'].schema;
  if (body) whole.append(make('h3', 'Body'), make('pre', words(body, schemas)));
  for (const [status, answer] of Object.entries(operation.responses)) {
    const content = Object.entries(/** @type {any} */ (answer).content ?? {});
    whole.append(make('h3', `${status} ${/** @type {any} */ (answer).description}`));
    if (Number(status) < 400) for (const [kind, { schema }] of content) whole.append(make('pre', schema ? words(schema, schemas) : kind));
  }
  return make('details', null, { 'data-words': `${method} ${path} ${operation.summary}`.toLowerCase() },
    make('summary', null, {}, make('span', method.toUpperCase(), { class: 'method' }), make('span', path, { class: 'path' }),
      make('span', operation.summary, { class: 'words' })), whole);
};

const show = async () => {
  const answer = await fetch('/api/openapi.json', { credentials: 'same-origin' });
  if (!answer.ok) { $('about').textContent = 'Log in to the player first, then come back.'; return; }
  const told = await answer.json();
  $('about').textContent = `Version ${told.info.version}. ${told.info.description}`;
  for (const room of told.tags) {
    const section = make('section', null, { id: room.name }, make('h2', room.description));
    for (const [path, methods] of Object.entries(told.paths)) {
      for (const [method, operation] of Object.entries(methods)) {
        if (operation.tags.includes(room.name)) section.append(draw(method, path, operation, told.components.schemas));
      }
    }
    $('operations').append(section);
    $('rooms').append(make('a', room.description, { href: `#${room.name}` }));
  }
  $('find').addEventListener('input', (event) => {
    const wanted = /** @type {HTMLInputElement} */ (event.target).value.toLowerCase().split(/\s+/).filter(Boolean);
    for (const section of document.querySelectorAll('section')) {
      let any = false;
      for (const one of section.querySelectorAll('details')) {
        one.hidden = !wanted.every((word) => one.dataset.words?.includes(word));
        any ||= !one.hidden;
      }
      section.hidden = !any;
    }
  });
};

show().catch(() => { $('about').textContent = 'The station does not answer.'; });
