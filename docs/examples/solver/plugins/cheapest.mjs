/** Of some plans, or the cheapest ones of others, the cheapest; the first of those that cost the same. */
export default function cheapest(plans) {
  return plans.reduce((best, plan) => (plan.cents < best.cents ? plan : best));
}
