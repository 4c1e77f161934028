import { z } from 'zod'
import type { Entry } from './bundle.ts'
import { HumanName, LOGICAL, Reference, Text, linkOf, present } from './datatypes.ts'
import { displayNameOf } from './practitioner.ts'
import type { References, Target } from './references.ts'
import { includesWords } from './words.ts'

type Resource = Readonly<Record<string, unknown>>

/** A reference with what it calls its target. The display is read for those who are no patients, and for nobody else. */
export const NamedReference = z
  .object({ ...LOGICAL, reference: Text.optional(), type: Text.optional(), display: Text.optional() })
  .transform(({ reference, type, display, identifier }) =>
    present({ reference, type, display, link: linkOf({ reference, type, identifier }) }),
  )
export type NamedReference = z.output<typeof NamedReference>

const MAX_NAME = 300
const Organization = z.object({ name: Text.optional() })
const Named = z.object({ name: z.array(HumanName) })

type Kind = 'Practitioner' | 'Organization'

interface PartyContext {
  readonly references: References
  /** The patient's resource. Undefined if the bundle does not hold it. */
  readonly subject: Entry | undefined
  readonly now: string
  /** Is called if a display is not shown because the names of the patient are unknown. */
  readonly hide: () => void
}

/**
 * What a practitioner or an organization is called: by its own resource, and where the bundle does not hold it, by the
 * `display` of the reference. A display counts only where the reference itself says that it leads to one of `kinds`, and
 * never where it holds the patient's family name: in real files, displays hold names of patients.
 *
 * @param loose whether a display without any reference counts too
 */
export function partyName(
  said: NamedReference | undefined,
  from: Resource,
  kinds: readonly Kind[],
  { references, subject, now, hide }: PartyContext,
  loose: 'loose' | 'referred' = 'referred',
): string | undefined {
  if (said === undefined) return undefined
  const target = references.follow(said.link, from)
  const resource = resourceOf(target)
  const type = typeOf(target)
  if (type === 'PractitionerRole' && resource !== undefined) {
    const practitioner = Reference.safeParse(resource['practitioner']).data
    const container = target.kind === 'contained' ? from : resource
    const person = references.follow(practitioner, container)
    return kinds.includes('Practitioner') && typeOf(person) === 'Practitioner' ? ownName(person, now) : undefined
  }
  if (resource !== undefined) return kinds.some((kind) => kind === type) ? ownName(target, now) : undefined
  const named = type === undefined ? loose === 'loose' && said.reference === undefined && fits(said.type, kinds) : fits(type, kinds)
  if (!named || said.display === undefined) return undefined
  if (subject === undefined) hide()
  return shown(said.display, subject)
}

/** The first name that one of several parties has. The parties after it are not read. */
export function firstName<T>(parties: readonly T[], nameOf: (one: T) => string | undefined): string | undefined {
  for (const one of parties) {
    const name = nameOf(one)
    if (name !== undefined) return name
  }
  return undefined
}

function fits(type: string | undefined, kinds: readonly Kind[]): boolean {
  return type === undefined || kinds.some((kind) => kind === type || (kind === 'Practitioner' && type === 'PractitionerRole'))
}

function ownName(target: Target, now: string): string | undefined {
  const resource = resourceOf(target)
  if (resource === undefined) return undefined
  if (typeOf(target) === 'Practitioner') return displayNameOf(resource, now)
  const name = Organization.safeParse(resource).data?.name
  return name === undefined || name.length > MAX_NAME || !name.isWellFormed() ? undefined : name
}

function shown(display: string, subject: Entry | undefined): string | undefined {
  return display.length > MAX_NAME || namesSubject(display, subject) ? undefined : display
}

/** Whether a text holds the family name of a patient as a word of its own. Without the patient's resource, every text may hold it. */
export function namesSubject(text: string, subject: Entry | undefined): boolean {
  if (subject === undefined) return true
  const names = Named.safeParse(subject.resource).data?.name ?? []
  return names.flatMap(({ family, text: whole }) => [family, whole]).some((name) => name !== undefined && includesWords(text, name))
}

function typeOf(target: Target): string | undefined {
  if (target.kind === 'nowhere') return undefined
  return target.kind === 'entry' ? target.entry.type : target.type
}

function resourceOf(target: Target): Resource | undefined {
  if (target.kind === 'entry') return target.entry.resource
  return target.kind === 'contained' ? target.resource : undefined
}
