import { allFormsOf, type Haystack } from './leak-search.ts'

// The stems occur in every marker and nowhere else. A search looks for the stems, so that its cost does not grow with the number of
// fields. Only after a hit, it looks for the field.

const TEXT = 'kQ7vXw9Zj2'
/** The month of all dates of the canary patient: no demo patient is that old. */
const DATE = '1887-03-'
const NUMBER = '91827364'

/**
 * Dates and numbers are searched for as text, in every form of it. The search does not find a date in another notation or in
 * milliseconds, a number in binary, or the values of `Markers.unsearchable`.
 */
const STEMS: readonly string[] = [TEXT, DATE, NUMBER]

/** Markers for the values of the canary patient, each with its field. */
export class Markers {
  /** Markers by path, including the parts of composites: `Observation.code.coding.code`. */
  readonly byPath = new Map<string, string>()
  /** Paths of values that can have no marker: a boolean has two values. */
  readonly unsearchable: string[] = []

  text(path: string): string {
    // 15 bytes, so that base64 contains the whole number too
    return this.#keep(path, `${TEXT}${this.#next()}ee`)
  }

  /** `1887-03-DD`. The day distinguishes some of them. */
  date(path: string): string {
    return this.#keep(path, `${DATE}${String(1 + (this.byPath.size % 28)).padStart(2, '0')}`)
  }

  instant(path: string): string {
    const day = String(1 + (this.byPath.size % 28)).padStart(2, '0')
    return this.#keep(path, `${DATE}${day}T04:17:39.${this.#next()}Z`)
  }

  /** Nine digits and a fraction, which a float holds exactly. */
  float(path: string): number {
    return Number(this.#keep(path, `${NUMBER}${this.byPath.size % 10}.${this.byPath.size % 2 === 0 ? '5' : '25'}`))
  }

  #keep(path: string, marker: string): string {
    this.byPath.set(path, marker)
    return marker
  }

  #next(): string {
    return String(this.byPath.size + 100)
  }
}

/**
 * Finds markers in any form.
 *
 * @returns `place: form of path`, which names the field and no value
 */
export function findMarkers(haystacks: readonly Haystack[], markers: ReadonlyMap<string, string>): string[] {
  // if forms are equal, the first one names them all
  const forms = new Map(
    STEMS.flatMap((stem) => [...allFormsOf(stem)].toReversed().map(([form, needle]) => [needle, form] as const)),
  )
  const stems = [...forms].map(([needle, form]) => ({ form, needle: bytesOf(needle) }))
  const found = new Set<string>()
  for (const { name, bytes } of haystacks) {
    for (const { form, needle } of stems) {
      if (bytes.includes(needle)) for (const path of pathsIn(bytes, markers)) found.add(`${name}: ${form} of ${path}`)
    }
  }
  return [...found]
}

function pathsIn(bytes: Buffer, markers: ReadonlyMap<string, string>): string[] {
  const paths = [...markers]
    .filter(([, marker]) => [...allFormsOf(marker).values()].some((form) => bytes.includes(bytesOf(form))))
    .map(([path]) => path)
  return paths.length === 0 ? ['a part of some value'] : paths
}

/** Every form is ASCII, except UTF-16 with its characters as bytes. */
const bytesOf = (needle: string): Buffer => Buffer.from(needle, 'latin1')
