import { z } from 'zod'
import type { RecordLabel } from '../directives/policy.ts'
import type { Attachment } from './attachment.ts'
import type { IdentifiedEntry } from './bundle.ts'
import { Reference, Text } from './datatypes.ts'
import { unfit } from './inspect.ts'
import { type MappingIssue, ISSUES, isMappingIssue, mappingIssue, schemaIssue } from './mapping-issue.ts'
import { type SubjectContext, saysOtherPatient } from './subject.ts'

type Resource = Readonly<Record<string, unknown>>

/** @source https://hl7.org/fhir/R4/binary.html */
const Binary = z.object({ contentType: Text.optional(), data: z.string().optional(), securityContext: Reference.optional() })

export interface Attached {
  /** The attachments, with the content of the resources that their URLs lead to. */
  readonly attachments: readonly (Attachment | undefined)[]
  /** These resources, and the labels that they give the record. */
  readonly sources: readonly Resource[]
  readonly labels: readonly RecordLabel[]
}

/**
 * Reads attachments that have their content in a Binary of the bundle. Epic, Cerner and IHE MHD write notes so. An attachment whose URL leads anywhere else keeps
 * its URL, and has no content here.
 *
 * @returns an issue if a Binary cannot be read, or if its `securityContext` names another patient
 */
export function withBinaries(
  where: string,
  attachments: readonly (Attachment | undefined)[],
  entry: IdentifiedEntry,
  context: SubjectContext,
): Attached | MappingIssue {
  const sources: Resource[] = []
  const read: (Attachment | undefined)[] = []
  for (const attachment of attachments) {
    const resource = attachment?.data === undefined ? binaryAt(attachment?.url, entry, context) : undefined
    if (resource === undefined) {
      read.push(attachment)
      continue
    }
    const content = contentOf(where, resource, context)
    if (isMappingIssue(content)) return content
    sources.push(resource)
    read.push({ ...attachment, contentType: attachment?.contentType ?? content.contentType, data: content.data })
  }
  return { attachments: read, sources, labels: sources.flatMap((resource) => context.labelsOf(resource)) }
}

function binaryAt(url: string | undefined, entry: IdentifiedEntry, { references }: SubjectContext): Resource | undefined {
  const target = references.follow(url, entry.resource)
  if (target.kind === 'entry' && target.entry.type === 'Binary') return target.entry.resource
  return target.kind === 'contained' && target.type === 'Binary' ? target.resource : undefined
}

function contentOf(where: string, resource: Resource, context: SubjectContext): z.output<typeof Binary> | MappingIssue {
  const found = unfit('Binary', resource)
  if (found) return found
  const binary = Binary.safeParse(resource)
  if (!binary.success) return schemaIssue('Binary', binary.error)
  return isOfOther(binary.data.securityContext, resource, context) ? mappingIssue(where, ISSUES.otherPatient) : binary.data
}

/** A context that leads to no resource and no patient that is known protects nothing here. */
function isOfOther(securityContext: string | undefined, resource: Resource, context: SubjectContext): boolean {
  const guard = context.references.follow(securityContext, resource)
  if (guard.kind === 'entry' && guard.entry.type !== 'Patient') return saysOtherPatient(guard.entry, context)
  const whose = context.patientAt(securityContext, resource)
  return whose === undefined ? guard.kind === 'entry' : whose !== context.patient
}
