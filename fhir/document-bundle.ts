import { isObject } from './object.ts'
import { type MappingIssue, ISSUES, mappingIssue } from './mapping-issue.ts'

type Fields = Readonly<Record<string, unknown>>

/** The composition of a document, which is its first entry. @source https://hl7.org/fhir/R4/documents.html */
function compositionOf({ type, entry }: Fields): Fields | undefined {
  if (type !== 'document' || !Array.isArray(entry)) return undefined
  const [first] = entry as readonly unknown[]
  const resource = isObject(first) ? first['resource'] : undefined
  return isObject(resource) && resource['resourceType'] === 'Composition' ? resource : undefined
}

/** Why nothing of a document must be read: the status of its composition is that of all of it. */
export function documentIssue(bundle: Fields): MappingIssue | undefined {
  return compositionOf(bundle)?.['status'] === 'entered-in-error' ? mappingIssue('Composition.status', ISSUES.document) : undefined
}

/** The confidentiality of a document as security labels. It applies to the whole document, as the header of a CDA document does. */
export function confidentialityOf(bundle: Fields): readonly Fields[] {
  const code = compositionOf(bundle)?.['confidentiality']
  return code === undefined ? [] : [{ system: 'http://terminology.hl7.org/CodeSystem/v3-Confidentiality', code }]
}
