import assert from 'node:assert/strict';
import test from 'node:test';
import { escape, flag, html } from '../../web/static/core/html.js';

test('every value is escaped, in text and in attributes', () => {
  const evil = `"><script>alert('x')</script>&`;
  const text = html`<p title="${evil}">${evil}</p>`.text;
  assert.ok(!text.includes('<script>'));
  assert.equal(text.match(/<p/g).length, 1);
  assert.equal(text, `<p title="${escape(evil)}">${escape(evil)}</p>`);
});

test('templates stand inside templates as they are, also in lists', () => {
  const row = (name) => html`<li>${name}</li>`;
  assert.equal(html`<ul>${['a', '<b>'].map(row)}</ul>`.text, '<ul><li>a</li><li>&lt;b&gt;</li></ul>');
});

test('nothing is drawn for nothing, but zero is a number', () => {
  assert.equal(html`[${null}${undefined}${false}${true}${[]}${0}]`.text, '[0]');
});

test('a string that looks like markup is still only a string', () => {
  assert.equal(html`${{ text: '<b>' }}`.text, '[object Object]');
  assert.equal(html`${[['<i>']]}`.text, '&lt;i&gt;');
});

test('a flag stands or does not', () => {
  assert.match(html`<input${flag('disabled', 1)}>`.text, /disabled/);
  assert.equal(html`<input${flag('disabled', 0)}>`.text, '<input>');
});
