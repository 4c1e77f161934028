import { readdirSync, readFileSync } from 'node:fs'

/** One file of SDL. */
export interface TypeDefs {
  /** The path within the project: `schema/clinical/patient.graphql`. */
  readonly name: string
  readonly sdl: string
}

/** The SDL of the shipped clinic, sorted by file name. A bundle has the folder `clinical/` beside it. */
export const clinicTypeDefs = (): readonly TypeDefs[] => typeDefsIn('clinical')

/** The SDL of the auditor's API, sorted by file name. A bundle has the folder `audit/` beside it. */
export const auditTypeDefs = (): readonly TypeDefs[] => typeDefsIn('audit')

function typeDefsIn(name: 'clinical' | 'audit'): readonly TypeDefs[] {
  const folder = new URL(`./${name}/`, import.meta.url)
  return readdirSync(folder)
    .filter((file) => file.endsWith('.graphql'))
    .toSorted()
    .map((file) => ({ name: `schema/${name}/${file}`, sdl: readFileSync(new URL(file, folder), 'utf8') }))
}

/** The text of the committed lock. It must match the compiled schema, so that the gateway never serves an unreviewed schema. */
export function clinicLock(): string {
  return readFileSync(new URL('./policy.lock', import.meta.url), 'utf8')
}
