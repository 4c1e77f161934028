import { createHash } from 'node:crypto'
import { dayOf } from '../../model/accounting/calendar.ts'
import { UNPRINTABLE } from './entered-text.ts'
import type { IndividualAccounting, IndividualEntry } from './individual-accounting.ts'
import type { ResearchProtocol } from './accounting.ts'

// The size of the paper is that of the printer: A4 and letter both fit.
const STYLE = `
@page { margin: 18mm 16mm 20mm; @bottom-left { content: "Accounting of disclosures"; font: 9pt sans-serif; }
  @bottom-right { content: "Page " counter(page) " of " counter(pages); font: 9pt sans-serif; } }
* { box-sizing: border-box; }
body { font: 10.5pt/1.4 Georgia, "Times New Roman", serif; color: #000; background: #fff; max-width: 190mm; margin: 8mm auto; padding: 0 4mm; }
h1 { font: bold 18pt/1.2 sans-serif; margin: 0 0 2mm; }
h2 { font: bold 12.5pt/1.3 sans-serif; margin: 8mm 0 2mm; break-after: avoid; }
.law { margin: 0 0 6mm; font-style: italic; }
.facts { display: grid; grid-template-columns: max-content 1fr; gap: 1.5mm 6mm; margin: 0 0 6mm; }
.facts dt { font-weight: bold; }
.facts dd { margin: 0; overflow-wrap: anywhere; }
.line { display: block; border-bottom: 1px solid #000; min-width: 70mm; height: 6mm; }
table { width: 100%; border-collapse: collapse; table-layout: fixed; font-size: 9.5pt; }
thead { display: table-header-group; }
tr { break-inside: avoid; }
tr.statement { break-inside: auto; }
tr.stated td { border-bottom: 0; break-after: avoid; }
th { font: bold 9pt sans-serif; text-align: left; border-bottom: 1.5px solid #000; padding: 1.5mm 2mm 1.5mm 0; }
td { border-bottom: 1px solid #999; padding: 2mm 2mm 2mm 0; vertical-align: top; overflow-wrap: anywhere; }
td p, dd p { margin: 0 0 1mm; white-space: pre-line; }
td:first-child p { white-space: nowrap; }
.date { width: 24mm; } .to { width: 44mm; } .why { width: 48mm; }
.repeated { font-style: italic; }
section.protocol { break-inside: avoid; border-top: 1px solid #999; padding-top: 2mm; margin-top: 3mm; }
footer { margin-top: 8mm; font-size: 9pt; }
@media print { body { max-width: none; margin: 0; padding: 0; } }
`

const STYLE_HASH = createHash('sha256').update(STYLE).digest('base64')

/** A statement of more characters has a row of its own over the width of the page, which may break across pages. */
const LONG_TEXT = 300

/**
 * An accounting as a document for paper: one file without scripts and without anything from elsewhere. It has the patient's id, and a
 * line on which the name is written by hand.
 */
export function accountingHtml({ patient, from, to, at, entries, protocols }: IndividualAccounting): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-${STYLE_HASH}'; base-uri 'none'; form-action 'none'">
<title>Accounting of disclosures</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Accounting of disclosures</h1>
<p class="law">Of protected health information, under 45 CFR 164.528</p>
<dl class="facts">
<dt>Name</dt><dd><span class="line"></span></dd>
<dt>Patient id</dt><dd>${escaped(patient)}</dd>
<dt>Period</dt><dd>${dayOf(from)} to ${dayOf(to)}</dd>
<dt>Prepared on</dt><dd>${dayOf(at)}</dd>
</dl>
<h2>Disclosures</h2>
${entries.length === 0 ? '<p>There are no disclosures to account for in this period.</p>' : tableOf(entries)}
${protocols.length === 0 ? '' : protocolsOf(protocols)}
<footer>
<p>Dates are in Coordinated Universal Time (UTC). Under 45 CFR 164.528(a)(1), an accounting does not list disclosures for treatment,
payment or healthcare operations, disclosures to you, and disclosures that you authorized.</p>
</footer>
</body>
</html>
`
}

function tableOf(entries: readonly IndividualEntry[]): string {
  return `<table>
<thead><tr><th class="date">Date</th><th class="to">Recipient</th><th>Information</th><th class="why">Purpose</th></tr></thead>
<tbody>
${entries.map(row).join('\n')}
</tbody>
</table>`
}

function row({ at, recipient, description, purpose, statement, repeated }: IndividualEntry): string {
  const isLong = statement !== undefined && statement.length > LONG_TEXT
  const what = [paragraph(description), repeated && `<p class="repeated">${escaped(repeated.frequency)}</p>`]
  const cells = [
    paragraphs([dayOf(at), repeated && 'last:', repeated && dayOf(repeated.last)]),
    paragraphs([recipient.name, recipient.address]),
    what.join(''),
    paragraphs(isLong ? [purpose] : [purpose, statement]),
  ]
  const first = `<tr${isLong ? ' class="stated"' : ''}>${cells.map((cell) => `<td>${cell}</td>`).join('')}</tr>`
  return isLong ? `${first}\n<tr class="statement"><td></td><td colspan="3">${paragraph(statement)}</td></tr>` : first
}

function protocolsOf(protocols: readonly ResearchProtocol[]): string {
  return `<h2>Research protocols</h2>
<p>Your health information may or may not have been disclosed for each of these protocols or other research activities.</p>
${protocols.map(protocolSection).join('\n')}`
}

function protocolSection({ protocol, description, information, from, to, sponsor, researcher }: ResearchProtocol): string {
  const contact = ({ name, address, phone }: ResearchProtocol['sponsor']): string => paragraphs([name, address, phone])
  return `<section class="protocol">
<dl class="facts">
<dt>Protocol</dt><dd>${escaped(protocol)}</dd>
<dt>Description</dt><dd>${escaped(description)}</dd>
<dt>Information</dt><dd>${escaped(information)}</dd>
<dt>Disclosed</dt><dd>${dayOf(from)} to ${to === undefined ? 'the present' : dayOf(to)}</dd>
<dt>Sponsor</dt><dd>${contact(sponsor)}</dd>
<dt>Researcher</dt><dd>${contact(researcher)}</dd>
</dl>
</section>`
}

const paragraphs = (texts: readonly (string | undefined)[]): string =>
  texts.map((text) => (text === undefined ? '' : paragraph(text))).join('')

const paragraph = (text: string): string => `<p>${escaped(text)}</p>`

const ENTITIES: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** A text for an element or an attribute, without characters that could reorder the page. */
const escaped = (text: string): string =>
  text
    .toWellFormed()
    .replaceAll(UNPRINTABLE, '')
    .replace(/[&<>"']/g, (character) => ENTITIES[character] ?? '')
