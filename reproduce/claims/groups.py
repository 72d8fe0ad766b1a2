"""Which of ILSVRC's thousand classes are near each other in WordNet.

Two classes are near where one line below holds both; it has the name of the synset of WordNet that they stand below.
Where to cut the hierarchy is ours: at the lowest synset that people have a word for and that still has several of the
classes ("canine", not "Siberian husky" and not "mammal"). Animals come in runs, since ILSVRC's classes are in the order
of WordNet's offsets, which follow the hierarchy there. Artefacts are in the order of the alphabet, and gathered here by
what their names mean. Classes in no line are near no other, so that a pair that is missing here is not measured.
"""

from __future__ import annotations

from functools import lru_cache

#: How many classes they are.
ILSVRC = 1000

GROUPS = """
bony fish: 0-1 389-397
elasmobranch: 2-6
gallinaceous bird: 7-8 80-86
oscine: 10-20
bird of prey: 21-24
salamander: 25-29
frog: 30-32
turtle: 33-37
lizard: 38-48
crocodilian: 49-50
snake: 52-68
arachnid: 70-78
parrot: 87-90
piciform bird: 95-96
aquatic bird: 97-100 127-146
monotreme: 102-103
marsupial: 104-106
coelenterate: 107-109
worm: 110-111
mollusk: 112-117
crustacean: 118-126
aquatic mammal: 147-150
canine: 151-280
feline: 281-293
bear: 294-297
viverrine: 298-299
insect: 300-326
echinoderm: 327-329
leporid: 330-332
rodent: 333-338
equine: 339-340
even-toed ungulate: 341-355
musteline mammal: 356-362
edentate: 363-364
primate: 365-384
elephant: 385-386
procyonid: 387-388
aircraft: 404 405 417 895
ball: 429 430 522 574 722 768 805 852 890
beverage: 966 967 969
body armor: 461 465 490 524
bottle: 440 720 737 898 901 907
bread: 930 931 932
bridge: 821 839 888
computer: 527 590 620 681
swimsuit: 445 638 639 842
cooking utensil: 469 505 521 544 567 849 909
dish: 924 925 926 933 934 959 962 963 964 965
firearm: 413 763 764
flower: 985 986
footwear: 502 514 630 770 774
frozen dessert: 928 929
fruit: 948-957
fungus: 991-997
furniture: 423 431 453 493 495 516 520 526 532 548 553 559 564 648 703 736 765 831 857 894
garment: 399 400 474 501 568 578 601 608 610 614 617 655 689 697 735 775 834 841 869
geological formation: 970 972-974 976-980
headdress: 433 439 452 515 518 560 667 715 793 808
home appliance: 534 550 651 760 827 859 882 891 897
keyboard: 508 878
mercantile establishment: 415 424 454 467 509 582 788 860 865
musical instrument: 401 402 420 432 486 494 513 541 546 558 566 577 579 593 594 641 642 683 684 687 699 776 822 875
  881 889
necktie: 451 457 906
place of worship: 497 668 832
residence: 483 698
telephone: 487 528 707
timepiece: 409 530 531 604 826 835 892
vegetable: 936-947
vessel: 403 472 484 510 554 576 625 628 724 780 814 833 871 913 914
wheeled vehicle or public transport: 407 408 436 444 466 468 511 547 555 561 565 569 573 575 586 603 609 612 627
  654 656 661 665 670 671 675 690 705 717 734 751 757 779 803 817 820 829 847 864 866 867 870 874 880
"""


def near(one: int, other: int) -> bool:
    """Whether two of ILSVRC's classes are in one group."""
    return any(one in group and other in group for group in classes_by_group().values())


@lru_cache(maxsize=None)
def classes_by_group() -> dict[str, frozenset[int]]:
    """The groups: their names and the classes in them."""
    lines = GROUPS.strip().replace("\n  ", " ").split("\n")
    return {name: _classes(runs) for name, runs in (line.split(": ") for line in lines)}


def _classes(runs: str) -> frozenset[int]:
    """The classes that "2-4 7" names: 2, 3, 4 and 7."""
    ends = [[int(end) for end in run.split("-")] for run in runs.split()]
    return frozenset(number for run in ends for number in range(run[0], run[-1] + 1))
