import { z } from 'zod'
import type { NewRecord } from '../gateway/model/record.ts'
import { MAX_TEXT_BYTES } from '../gateway/model/record-size.ts'
import { Attachment, attachedText } from './attachment.ts'
import { authorOf } from './author.ts'
import { withBinaries } from './binary.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { categoriesOf, wordsOf } from './coded.ts'
import { CodeableConcept, Reference, Text } from './datatypes.ts'
import { type MappingIssue, ISSUES, isMappingIssue, schemaIssue } from './mapping-issue.ts'
import { DateTime, WrittenPeriod } from './instant.ts'
import { NamedReference, firstName, partyName } from './party.ts'
import { plainText } from './plain-text.ts'
import { assemble, labeled } from './record.ts'
import { type SubjectContext, encounterOf, factsOf } from './subject.ts'

/** Characters with markup; the words within are bounded as every text is. */
const MAX_NARRATIVE = 4 * MAX_TEXT_BYTES

/** @source https://hl7.org/fhir/R4/diagnosticreport.html */
const DiagnosticReport = z.object({
  category: z.array(CodeableConcept).default([]),
  code: CodeableConcept.optional(),
  encounter: Reference.optional(),
  effectiveDateTime: DateTime.optional(),
  effectivePeriod: WrittenPeriod.optional(),
  issued: DateTime.optional(),
  performer: z.array(NamedReference).default([]),
  conclusion: Text.optional(),
  conclusionCode: z.array(CodeableConcept).default([]),
  presentedForm: z.array(Attachment).default([]),
  text: z.object({ div: z.string().max(MAX_NARRATIVE, { error: ISSUES.text }).optional() }).optional(),
})

/**
 * The text of a report as a document of the patient; `without text` where the report only gathers observations, which are
 * records themselves.
 */
export function mapDiagnosticReport(entry: IdentifiedEntry, context: SubjectContext): NewRecord | MappingIssue | 'without text' {
  const parsed = DiagnosticReport.safeParse(entry.resource)
  if (!parsed.success) return schemaIssue('DiagnosticReport', parsed.error)
  const { category, code, effectiveDateTime, effectivePeriod, issued, performer, presentedForm, conclusionCode } = parsed.data
  const codes = conclusionCode.flatMap((one) => wordsOf(one) ?? [])
  const conclusion = parsed.data.conclusion ?? (codes.length > 0 ? codes.join(', ') : undefined)
  const encounter = encounterOf('DiagnosticReport', entry, parsed.data.encounter, context)
  if (typeof encounter === 'object') return encounter
  const forms = withBinaries('DiagnosticReport.presentedForm', presentedForm, entry, context)
  if (isMappingIssue(forms)) return forms
  const presented = attachedText('DiagnosticReport.presentedForm', forms.attachments)
  if (typeof presented === 'object') return presented
  const text = reportText(presented, conclusion, parsed.data.text?.div)
  if (text === undefined) return 'without text'
  if (presented === undefined && presentedForm.length > 0) context.omit('DiagnosticReport without its presented form')
  const date = effectiveDateTime ?? effectivePeriod?.start ?? effectivePeriod?.end ?? issued
  const author = firstName(performer, (one) => partyName(one, entry.resource, ['Practitioner', 'Organization'], context))
  const record = assemble({
    type: 'DocumentReference',
    patient: context.patient,
    // a report and a document may bear the same id: they are two resources
    id: context.idFor('DocumentReference', `DiagnosticReport/${entry.id}`),
    values: { type: code, date, author, text },
    metadata: factsOf({
      time: date,
      concepts: [code],
      categories: categoriesOf(category),
      encounter,
      author: authorOf(entry, context.references),
      sources: [entry.resource, author ?? null, ...forms.sources],
    }),
  })
  return isMappingIssue(record) ? record : labeled(record, forms.labels)
}

/** The report as issued, with its conclusion where that is not in it; the narrative only where nobody wrote either. */
function reportText(
  presented: string | undefined,
  conclusion: string | undefined,
  narrative: string | undefined,
): string | undefined {
  if (presented !== undefined) {
    return conclusion === undefined || presented.includes(conclusion) ? presented : `${presented}\n\n${conclusion}`
  }
  if (conclusion !== undefined) return conclusion
  const words = narrative === undefined ? '' : plainText(narrative)
  return words === '' ? undefined : words
}
