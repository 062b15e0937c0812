/* The handover of one VM between two nodes, for spin. README.md tells what is modelled, the bounds,
 * and which step of the code each step stands for; verify.sh runs it. */
#include "properties.pml"
#include "world.pml"
#include "orphan.pml"
#include "agent.pml"
#include "work.pml"
#include "controller.pml"
#include "faults.pml"

proctype checker() {
end_watch:
  do
#ifndef WITHOUT_valid_end
  :: d_step { QUIET && !VALID_END -> assert(false) }
#endif
#ifndef WITHOUT_never_stuck
  :: d_step { QUIET && faults == 0 && !CLEAN_END -> assert(false) }
#endif
#ifndef WITHOUT_no_operator
  :: d_step { QUIET && !HEALED_END -> assert(false) }
#endif
#ifndef WITHOUT_ends
  /* A state that nobody leaves has to be a quiet one. */
  :: atomic { timeout && !QUIET -> assert(false) }
#endif
  :: d_step { false -> skip }
  od
}

#ifdef DEEP
#define BOUNDS \
  :: faults_max = 2; \
     two_controllers = true
#elif defined(SHALLOW)
#define BOUNDS \
  :: faults_max = 2
#else
#define BOUNDS \
  :: faults_max = 1; \
     two_controllers = true \
  :: faults_max = 3
#endif

init {
  atomic {
    if
    BOUNDS
    fi;
    qemu[0] = RUNNING;
    latest[0] = true;
    alive[0] = true;
    alive[1] = true;
    asked[0] = m_none;
    asked[1] = m_none;
    asked[2] = m_none;
    run controller(0);
    run controller(1);
    run agent(0);
    run agent(1);
    run worker(0, 0);
    run worker(0, 1);
    run worker(1, 0);
    run worker(1, 1);
    run stream(0);
    run stream(1);
    run fault(0);
    run fault(1);
    run checker()
  }
}
