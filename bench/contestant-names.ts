/** The contestants, by the names of their files, and their names in tables. */
export const CONTESTANTS = {
  twin: 'unprotected twin',
  shield: 'graphql-shield alone',
  'hand-built': 'hand-built',
  'encryption-sdk': 'hand-built, AWS Encryption SDK',
  gateway: 'gateway',
} as const

export type ContestantName = keyof typeof CONTESTANTS

export const CONTESTANT_NAMES = Object.keys(CONTESTANTS) as readonly ContestantName[]
