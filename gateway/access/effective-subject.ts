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

/** The identity that a caller has in one request, with the sources of its relationships and the ids that it receives and sends. */
export interface EffectiveSubject {
  readonly caller: Caller
  readonly sources: AttributeSources
  readonly ids: PublicIds
}

interface EffectiveSubjectParts {
  readonly policy: PolicyTable
  readonly attributes: AttributeSources
  /** Without it there are no studies, and researchers receive nothing. */
  readonly studies?: StudySource
  readonly keyring: Keyring
  readonly now: Clock
}

/**
 * Callers act as themselves, except researchers. A researcher acts under a study: with relationships to its patients only, and with
 * its pseudonyms as ids.
 *
 * The study is read again for each request, so that its end, or the removal of a researcher, takes effect at the next one. If the
 * study cannot be read, this is not a denial: everything that depends on the study is unavailable, with the failure as its reason.
 *
 * @param named the header `x-research-study`
 */
export async function resolveEffectiveSubject(
  caller: Caller,
  named: string | undefined,
  { policy, attributes, studies, keyring, now }: EffectiveSubjectParts,
  deadline: Deadline,
): Promise<EffectiveSubject> {
  const researcher = asResearcher(caller, policy)
  if (researcher === undefined) return { caller: besideResearch(caller, policy), sources: attributes, ids: NODE_IDS }
  // break-glass does not apply to research: its source is left out
  const { relationships, consents } = attributes
  const consentSource = { ...(consents && { consents }) }
  const withoutStudy: EffectiveSubject = {
    caller: researcher,
    sources: { ...consentSource, relationships: withinStudy(relationships, NO_SUBJECTS) },
    ids: NO_IDS,
  }
  if (studies === undefined) return withoutStudy
  try {
    const { tenant } = caller
    const [all, key] = await deadline.wait(
      () => Promise.all([studies.studies(tenant, deadline), keyring.purposeKey(tenant, 'pseudonym')]),
      storeOverdue,
    )
    const study = studyOf(all, researcher, named, now() as Instant)
    if (study === undefined) return withoutStudy
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
