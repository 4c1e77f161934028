import { createHash } from 'node:crypto'
import { type PolicySheet, policySheet } from '../directives/table.ts'
import type { PolicyTable } from '../directives/policy.ts'

type Phi = PolicySheet['phi'][number]

/**
 * The policy table as one HTML page with its own style and script. Its content security policy allows no other resource. Without
 * script, the page shows the whole table.
 */
export function renderPage(policy: PolicyTable): string {
  const { phi, reads, notPhi, roles, digest } = policySheet(policy)
  const granted = roles.filter((role) => phi.some(({ grants }) => grants.some((grant) => grant.roles.includes(role))))
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src '${hash(STYLE)}'; script-src '${hash(SCRIPT)}'">
<title>Who may see what</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Who may see what</h1>
<p>A field without a grant is denied. If several grants apply, the most revealing view wins.</p>
<p>Policy <code class="digest">${text(digest)}</code></p>
<h2 id="phi">Protected health information</h2>
<form id="filter" hidden>
<label for="role">Role</label>
<select id="role"><option value="">every role</option>${granted.map((role) => `<option>${text(role)}</option>`).join('')}</select>
<output for="role" id="shown"></output>
</form>
<div class="scroll" role="region" aria-labelledby="phi" tabindex="0">
<table id="grants" role="table">
<caption>Each path with its category, its Safe Harbor class and its grants</caption>
<thead role="rowgroup"><tr role="row">${heads('Path', 'Category', 'Safe Harbor', 'Roles', 'Purposes', 'Relationship', 'View', 'Break-glass')}</tr></thead>
${phi.map(body).join('\n')}
</table>
</div>
${argumentsTable(reads)}<h2 id="not-phi">Not protected health information</h2>
<div class="scroll" role="region" aria-labelledby="not-phi" tabindex="0">
<table>
<caption>Fields that were reviewed and are not PHI, with the reason</caption>
<thead><tr>${heads('Field', 'Because')}</tr></thead>
<tbody>
${notPhi.map(({ coordinate, because }) => `<tr><th scope="row">${path(coordinate)}</th><td class="prose">${text(because)}</td></tr>`).join('\n')}
</tbody>
</table>
</div>
</main>
<script>${SCRIPT}</script>
</body>
</html>
`
}

/**
 * One path: a group of rows, one for each of its grants. The ARIA roles are explicit, because a narrow screen shows the cells as a
 * grid, and a browser may then drop the table semantics.
 */
function body({ path: name, category, safeHarbor, grants }: Phi): string {
  const span = grants.length > 1 ? ` rowspan="${grants.length}"` : ''
  const head = [
    `<th scope="rowgroup" role="rowheader" data-head${span}>${path(name)}</th>`,
    ...[category, safeHarbor].map((cell) => `<td role="cell" data-head${span}>${text(cell)}</td>`),
  ].join('')
  const rows = grants.map(({ roles, purposes, relationship, view, breakGlass }, index) => {
    const cells = [roles.join(', '), purposes, relationship].map((cell) => `<td role="cell">${text(cell)}</td>`).join('')
    const last = `<td role="cell"${view === 'FULL' ? '' : ' class="partial"'}>${text(view)}</td><td role="cell">${breakGlass ? 'break-glass' : ''}</td>`
    return `<tr role="row" data-roles="${text(roles.join(' '))}">${index === 0 ? head : ''}${cells}${last}</tr>`
  })
  return `<tbody role="rowgroup">\n${rows.join('\n')}\n</tbody>`
}

function argumentsTable(reads: PolicySheet['reads']): string {
  if (reads.length === 0) return ''
  return `<h2 id="reads">Arguments that read</h2>
<div class="scroll" role="region" aria-labelledby="reads" tabindex="0">
<table>
<caption>An argument needs the right to the field that it reads</caption>
<thead><tr>${heads('Argument', 'Reads')}</tr></thead>
<tbody>
${reads.map(({ argument, field }) => `<tr><th scope="row">${path(argument)}</th><td>${path(field)}</td></tr>`).join('\n')}
</tbody>
</table>
</div>
`
}

function heads(...names: readonly string[]): string {
  return names.map((name) => `<th scope="col" role="columnheader">${text(name)}</th>`).join('')
}

/** Allows a line break after each part of a path, so that a narrow screen does not scroll. */
function path(name: string): string {
  return `<code>${text(name).replaceAll(/[.(]/g, (mark) => `${mark}<wbr>`)}</code>`
}

/** Text for an element or a quoted attribute. */
function text(raw: string): string {
  return raw
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll('>', '&gt;')
    .replaceAll('"', '&quot;')
    .replaceAll("'", '&#39;')
}

function hash(content: string): string {
  return `sha256-${createHash('sha256').update(content, 'utf8').digest('base64')}`
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1b1f24; --dim: #57606a; --paper: #fff; --band: #f3f5f7; --line: #c9d1d9; --mark: #8a4b00 }
@media (prefers-color-scheme: dark) {
  :root { --ink: #e6edf3; --dim: #9da7b3; --paper: #0f1318; --band: #1a2027; --line: #3d4650; --mark: #f0b45b }
}
* { box-sizing: border-box }
body { margin: 0; color: var(--ink); background: var(--paper); font: 1rem/1.5 system-ui, sans-serif }
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem 1rem 4rem }
h1 { font-size: 1.6rem; margin: 0 0 .5rem }
h2 { font-size: 1.2rem; margin: 2.5rem 0 .75rem }
p { margin: .25rem 0; max-width: 65ch }
code { font: .875em/1.4 ui-monospace, monospace }
.digest { overflow-wrap: anywhere; color: var(--dim) }
form { display: flex; flex-wrap: wrap; gap: .5rem .75rem; align-items: center; margin-bottom: .75rem }
form[hidden] { display: none }
select { font: inherit; padding: .4rem .5rem; color: inherit; background: var(--paper); border: 1px solid var(--line); border-radius: .25rem }
output { color: var(--dim) }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: .25rem }
:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px }
table { border-collapse: collapse; width: 100%; font-size: .875rem }
caption { text-align: left; padding: .5rem .75rem; color: var(--dim) }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem }
td { white-space: nowrap }
td.prose { white-space: normal }
td.partial { white-space: normal; min-width: 11rem }
thead th { background: var(--band); border-bottom: 1px solid var(--line); white-space: nowrap }
tbody + tbody, tbody:not([role]) tr + tr { border-top: 1px solid var(--line) }
tbody th { font-weight: 600; }
.partial { color: var(--mark); font-weight: 600 }
@media (max-width: 45rem) {
  th, td { padding: .25rem .75rem }
  td { white-space: normal; overflow-wrap: break-word }
  #grants, #grants caption, #grants tbody { display: block }
  #grants thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  #grants tbody { border-top: 1px solid var(--line); padding: .35rem 0 }
  #grants tr { display: grid; grid-template-columns: 1fr 1fr }
  #grants tr[hidden], #grants tbody[hidden], #grants td:empty { display: none }
  #grants tbody th { grid-column: 1 / -1 }
  #grants td[data-head] { color: var(--dim) }
  #grants tr:not(:has([data-head])) { border-top: 1px dotted var(--line) }
}
@media print { form { display: none !important } .scroll { overflow: visible; border: 0 } }
`

// the head cells of a path span its visible rows: move them to the first visible row and set the span again
const SCRIPT = `
const role = document.getElementById('role')
const shown = document.getElementById('shown')
const bodies = [...document.getElementById('grants').tBodies].map((body) => ({ body, rows: [...body.rows], heads: [...body.querySelectorAll('[data-head]')] }))
const filter = () => {
  let count = 0
  for (const { body, rows, heads } of bodies) {
    const visible = rows.filter((row) => role.value === '' || row.dataset.roles.split(' ').includes(role.value))
    for (const row of rows) row.hidden = !visible.includes(row)
    body.hidden = visible.length === 0
    if (visible.length === 0) continue
    count++
    visible[0].prepend(...heads)
    for (const head of heads) head.rowSpan = visible.length
  }
  shown.value = count + ' of ' + bodies.length + ' paths'
}
role.addEventListener('change', filter)
document.getElementById('filter').addEventListener('submit', (event) => event.preventDefault())
document.getElementById('filter').hidden = false
filter()
`
