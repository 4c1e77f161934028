// The word list of the prose check. The check skips test/prose, so the phrases below are not hits themselves.

export interface Pattern {
  readonly name: string
  /** Hits allowed per 1,000 words of a folder. */
  readonly limit: number
  readonly words: ReadonlySet<string>
  /** `sentences` counts a word only at the start of a sentence that is not a question. */
  readonly counts: 'words' | 'sentences'
}

/** Model codebases of this field stay below these limits. */
export const PATTERNS: readonly Pattern[] = [
  { name: 'who/whom/whose', limit: 1.5, counts: 'words', words: new Set(['who', 'whom', 'whose']) },
  { name: 'stand', limit: 0.3, counts: 'words', words: new Set(['stand', 'stands', 'standing', 'stood']) },
  { name: 'tell', limit: 0.5, counts: 'words', words: new Set(['tell', 'tells', 'telling', 'told']) },
  {
    name: 'What/Who sentence',
    limit: 0.6,
    counts: 'sentences',
    words: new Set(['what', 'whatever', 'who', 'whoever', 'whom', 'whose']),
  },
]

/** Folders above a limit when the check was introduced. Their stored rates may only fall; every other folder meets the limits. */
export const RATCHETED: ReadonlySet<string> = new Set(['fhir'])

/** Sentences that reviewers had to read twice. They may not return to any measured text. */
export const BANNED: readonly string[] = [
  'what came before is written while this one is answered, and only who is not let in waits for it',
  'who changed something can prove it, as who was told something can',
  'one that is silent ends before the rest is given up with it',
  "of its type a patient has one record, which bears the patient's id",
  'somebody who is not there, for whom the same is asked as for one who is',
  'that there is none is no empty list',
  "views that tie never meet on one field: the schema's lint sees to it",
  'everybody acts as they are, but for who acts for research',
  'one without a scope makes the others say nothing',
  'all that has to be there is Node 20 or later',
  'makes 60 patients up',
  'what it gives undefined or null for is ABSENT',
]
