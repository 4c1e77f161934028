import type { AttributeSources } from './attribute-loader.ts'
import { asResearcher, besideResearch, NO_SUBJECTS, studyOf, unknownSubjects, withinStudy } from './research.ts'
import type { StudySource } from './studies.ts'
import type { Keyring } from '../crypto/keyring.ts'
import { Pseudonyms } from '../crypto/pseudonym.ts'
import { NO_IDS, NODE_IDS, type PublicIds, studyIds, unknownIds } from './public-ids.ts'
import type { Deadline } from '../model/deadline.ts'
import type { Caller } from '../model/decision.ts'
import { IntegrityFailure, KeyUnavailable, storeOverdue, StoreUnavailable } from '../model/failures.ts'
import type { Instant } from '../model/ids.ts'
import type { PolicyTable } from '../../directives/policy.ts'
import type { Clock } from '../model/record.ts'

/** As whom a caller acts in one request, to whom they stand so, and by which ids they know records. */
export interface EffectiveSubject {
  readonly caller: Caller
  readonly sources: AttributeSources
  readonly ids: PublicIds
}

interface EffectiveSubjectParts {
  readonly policy: PolicyTable
  readonly facts: AttributeSources
  /** None: nobody acts under a study, so that researchers are given nothing. */
  readonly studies?: StudySource
  readonly keyring: Keyring
  readonly now: Clock
}

/**
 * Everybody acts as they are, but for who acts for research: under a study, towards its patients, and by its pseudonyms.
 *
 * The study is asked for at each request and nothing of it is kept: one that has ended, or that somebody was taken off, is gone at
 * the next. Where it cannot be found out, that is no answer of no: what depends on it is unavailable.
 *
 * @param named the header `x-research-study`
 */
export async function resolveEffectiveSubject(
  caller: Caller,
  named: string | undefined,
  { policy, facts, studies, keyring, now }: EffectiveSubjectParts,
  deadline: Deadline,
): Promise<EffectiveSubject> {
  const researcher = asResearcher(caller, policy)
  if (researcher === undefined) return { caller: besideResearch(caller, policy), sources: facts, ids: NODE_IDS }
  // an emergency is no research: where it would be found is left out
  const { relationships, consents } = facts
  const consentSource = { ...(consents && { consents }) }
  const nobody = {
    caller: researcher,
    sources: { ...consentSource, relationships: withinStudy(relationships, NO_SUBJECTS) },
    ids: NO_IDS,
  }
  if (studies === undefined) return nobody
  try {
    const { tenant } = caller
    const [all, key] = await deadline.wait(
      () => Promise.all([studies.studies(tenant, deadline), keyring.purposeKey(tenant, 'pseudonym')]),
      storeOverdue,
    )
    const study = studyOf(all, researcher, named, now() as Instant)
    if (study === undefined) return nobody
    const { protocol } = study
    return {
      caller: { ...researcher, study: protocol },
      sources: { ...consentSource, relationships: withinStudy(relationships, studies.subjects(protocol)) },
      ids: studyIds(new Pseudonyms(key, { tenant, protocol }), protocol),
    }
  } catch (failure) {
    if (!isPassing(failure)) throw failure
    return {
      caller: researcher,
      sources: { ...consentSource, relationships: withinStudy(relationships, unknownSubjects(failure)) },
      ids: unknownIds(failure),
    }
  }
}

const isPassing = (failure: unknown): failure is Error =>
  failure instanceof StoreUnavailable || failure instanceof KeyUnavailable || failure instanceof IntegrityFailure
