import * as z from 'zod'
import { localOffset } from './local-day.ts'

const positive = z.number().positive()
const count = z.int().min(1)
const share = z.number().min(0).max(1)

/** A deviation from own days and from peers' days, each in robust standard deviations. */
const deviation = (own: number, peers: number, least: number) =>
  z.strictObject({ own: positive.default(own), peers: positive.default(peers), least: count.default(least) }).prefault({})

/**
 * The thresholds of the detection, `PHI_ANOMALIES`. An access pattern at a threshold has the score 0.5. `docs/anomalies.md` states the
 * reason of each default.
 */
export const AnomalySettings = z.strictObject({
  /** The time zone of the clinic: days and hours of findings are local. */
  timeZone: z
    .string()
    .refine((zone) => localOffset(zone, 0) !== undefined)
    .default('UTC'),
  /** The days before the judged ones that habits come from. */
  baselineDays: z.int().min(14).max(180).default(60),
  /** The longest span of a question, in days. */
  maxDays: z.int().min(1).max(92).default(31),
  /** A user with fewer days of work in the baseline has no habit: the habit of the role counts. */
  habitDays: count.default(10),
  /** Field-level records a day. `least` is the smallest excess over the median that counts. */
  volume: deviation(6, 2.5, 60),
  /** Patients a day. */
  manyPatients: deviation(6, 2.5, 15),
  /** A day must exceed the highest but one of the user's own days by this factor, so that a regular peak is no finding. */
  beyondPeak: z.number().min(1).default(1.15),
  offHours: z
    .strictObject({
      /** An hour is off if the user works in it, or beside it, on at most this share of days. */
      own: share.default(0.02),
      /** And the users of the role on at most this share. */
      peers: share.default(0.02),
      /** Requests in such hours of a day. */
      requests: count.default(5),
    })
    .prefault({}),
  /** Patients of others, or refused requests, a day. */
  denials: deviation(5, 4, 8),
  /** Requested ids that lead to nothing, a day. */
  enumeration: deviation(5, 4, 10),
  guessedSearches: z
    .strictObject({
      own: positive.default(5),
      peers: positive.default(4),
      /** Searches without a hit a day. */
      least: count.default(10),
      /** Searches a day that the limit of the hour refused. */
      refused: count.default(3),
    })
    .prefault({}),
  /** A break-glass grant is reviewed within these days after its last use. */
  reviewDays: positive.default(7),
  membership: z
    .strictObject({
      /** The least age of the membership, in days. */
      age: positive.default(60),
      /** The days since the user's last access to the patient, at least. */
      gap: positive.default(30),
      /** If another user accessed the patient within these days before or after, there is a common cause, such as a visit. */
      others: z.int().min(0).max(30).default(3),
      /** Records without a membership a day, on a basis that no more than `peers` of the role uses. */
      records: count.default(5),
      peers: share.default(0.1),
    })
    .prefault({}),
  firstUse: z
    .strictObject({
      /** Records by the grant on the day. */
      records: count.default(3),
      /** A grant that more of the role use is no finding for one that begins to. */
      peers: share.default(0.1),
      /** If so many users of a role begin to use a grant in one span, it is a change of the work. The score is then below 0.5. */
      adopters: z.int().min(2).default(3),
    })
    .prefault({}),
  /** Reads of family members, neighbors and colleagues without a named membership. */
  related: z
    .strictObject({
      /** Values in a role that works by memberships, or by break-glass without a review. */
      values: count.default(3),
      /** A role works without memberships if more than this share of it does. */
      peers: share.default(0.1),
      /** The usual values of a patient on a day: this share of the role's patients and days stays within. */
      usual: z.number().min(0.5).max(1).default(0.95),
      /** A day of a care team explains one usual day of work on the patient, this number of days before or after. */
      careDays: z.int().min(0).max(30).default(14),
      /** Usual days of work on one patient in the span, in a role that works without memberships. */
      family: positive.default(3.5),
      coWorker: positive.default(4),
      neighbor: positive.default(4),
    })
    .prefault({}),
  vip: z
    .strictObject({
      /** As `related.neighbor`, for a person of public interest. */
      times: positive.default(3.5),
      /** Users without a membership who read the person within `days` days. */
      readers: z.int().min(2).default(8),
      days: z.int().min(1).max(14).default(3),
    })
    .prefault({}),
  partner: z
    .strictObject({
      /** Records a day against the partner's own days. */
      own: positive.default(6),
      least: count.default(60),
      /** Requests in hours in which the partner works on at most `share` of days. */
      requests: count.default(3),
      share: share.default(0.02),
    })
    .prefault({}),
})

export type AnomalySettings = z.infer<typeof AnomalySettings>
