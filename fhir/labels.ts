import { readdirSync, readFileSync } from 'node:fs'
import { z } from 'zod'
import type { Sensitivity } from '../directives/policy.ts'

const Source = z.object({
  name: z.string().min(1),
  oid: z.string().optional(),
  url: z.string().optional(),
  version: z.string().optional(),
})
const CodeList = z.object({
  /** The system's URI as FHIR has it; null where the codes are unique by themselves and files name all kinds of systems with them. */
  system: z.string().min(1).nullable(),
  /** Where it is written that these codes are of that kind. */
  source: Source,
  /** Whether codes that begin with one of these are meant too, as in ICD-10-CM. */
  withChildren: z.boolean().default(false),
  codes: z.array(z.tuple([z.string().min(1), z.string()])),
})
const LabelLists = z.array(z.object({ label: z.string().regex(/^[A-Z][A-Z0-9_]{0,30}$/), lists: z.array(CodeList) }))

/** A file of code lists that cannot be read as one. Says nothing of what stands in it. */
export class CodeListRefused extends Error {
  override readonly name = 'CodeListRefused'
  constructor(options?: ErrorOptions) {
    super('The code lists are not readable: see docs/consent.md for their form.', options)
  }
}

/** Which codes tell what. */
export class CodeLabels {
  readonly #exact = new Map<string, Set<Sensitivity>>()
  readonly #beginnings = new Map<string, Set<Sensitivity>>()

  /** @throws CodeListRefused for text that is no file of code lists: lists that are passed over leave records open */
  constructor(files: readonly string[]) {
    for (const text of files) {
      for (const { label, lists } of parsed(text)) {
        for (const { system, withChildren, codes } of lists) {
          for (const [code] of codes) {
            const known = withChildren ? this.#beginnings : this.#exact
            const key = keyOf(system, code)
            const labels = known.get(key) ?? new Set()
            known.set(key, labels.add(label as Sensitivity))
          }
        }
      }
    }
  }

  /** What codes anywhere in some content tell: of FHIR, every object with `system` and `code`. Sorted, each once. */
  of(...contents: readonly unknown[]): readonly Sensitivity[] {
    const labels = new Set<Sensitivity>()
    const open: unknown[] = [...contents]
    // without recursion: what is nested a million times must not end the process
    while (open.length > 0) {
      const value = open.pop()
      if (typeof value !== 'object' || value === null) continue
      const { system, code } = value as { readonly system?: unknown; readonly code?: unknown }
      if (typeof code === 'string') for (const label of this.#ofCode(system, code)) labels.add(label)
      for (const inside of Object.values(value) as unknown[]) open.push(inside)
    }
    return [...labels].toSorted()
  }

  *#ofCode(system: unknown, code: string): Generator<Sensitivity> {
    yield* this.#exact.get(keyOf(null, code)) ?? []
    if (typeof system !== 'string') return
    yield* this.#exact.get(keyOf(system, code)) ?? []
    for (let end = 1; end <= Math.min(code.length, MAX_BEGINNING); end++) {
      yield* this.#beginnings.get(keyOf(system, code.slice(0, end))) ?? []
    }
  }
}

const MAX_BEGINNING = 16

/** Codes are compared without regard to case and, as exporters leave it out, without the dot of ICD-10-CM. */
const keyOf = (system: string | null, code: string): string => `${system ?? ''}\n${code.toUpperCase().replace('.', '')}`

function parsed(text: string): z.output<typeof LabelLists> {
  try {
    return LabelLists.parse(JSON.parse(text))
  } catch (error) {
    throw new CodeListRefused({ cause: error })
  }
}

/**
 * The shipped lists together with those of a deployment.
 *
 * @param more texts of files of the same form
 * @throws CodeListRefused
 */
export function codeLabels(more: readonly string[] = []): CodeLabels {
  const folder = new URL('./code-lists/', import.meta.url)
  const shipped = readdirSync(folder).filter((file) => file.endsWith('.json'))
  return new CodeLabels([...shipped.toSorted().map((file) => readFileSync(new URL(file, folder), 'utf8')), ...more])
}
